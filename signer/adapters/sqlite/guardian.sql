-- Version 3 of the ledger: policies that came into force under a guardian. An empty guardian: a person let it go.

CREATE TABLE guarded_policies (
    id          INTEGER PRIMARY KEY,
    guardian    TEXT NOT NULL,
    serial      INTEGER NOT NULL CHECK (serial > 0),
    policy_hash TEXT NOT NULL,
    since       INTEGER NOT NULL
) STRICT;

CREATE TRIGGER a_serial_never_goes_back BEFORE INSERT ON guarded_policies
    WHEN EXISTS (
        SELECT 1 FROM guarded_policies
        WHERE serial > NEW.serial OR (serial = NEW.serial AND policy_hash <> NEW.policy_hash)
    )
BEGIN
    SELECT RAISE(ABORT, 'a policy is never followed by an older one');
END;

CREATE TRIGGER a_guarded_policy_never_changes BEFORE UPDATE ON guarded_policies
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

CREATE TRIGGER a_guarded_policy_is_never_deleted BEFORE DELETE ON guarded_policies
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;
