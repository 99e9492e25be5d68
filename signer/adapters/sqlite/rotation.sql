-- Version 2 of the ledger: accounts that hand over to another one. Laid over version 1, new ledgers included.

CREATE TABLE rotations (
    id          INTEGER PRIMARY KEY,
    old_account TEXT NOT NULL REFERENCES accounts (account),
    new_account TEXT NOT NULL REFERENCES accounts (account),
    emergency   INTEGER NOT NULL CHECK (emergency IN (0, 1)),
    begun_at    INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'finished', 'turned_back')),
    ended_at    INTEGER,
    dust        TEXT NOT NULL DEFAULT '',
    CHECK (old_account <> new_account),
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_open_rotation_from_an_account ON rotations (old_account) WHERE state = 'open';
CREATE UNIQUE INDEX one_open_rotation_to_an_account ON rotations (new_account) WHERE state = 'open';

CREATE TRIGGER a_rotation_ends_once BEFORE UPDATE ON rotations WHEN OLD.state <> 'open'
BEGIN
    SELECT RAISE(ABORT, 'a rotation that has ended is never changed');
END;

CREATE TRIGGER a_rotation_keeps_its_accounts BEFORE UPDATE OF id, old_account, new_account, begun_at ON rotations
BEGIN
    SELECT RAISE(ABORT, 'a rotation keeps its accounts');
END;

CREATE TRIGGER a_rotation_is_never_deleted BEFORE DELETE ON rotations
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

-- RETIRED is for ever, and nothing that could still be signed or mined is left when it begins.
CREATE TRIGGER retired_is_for_ever BEFORE UPDATE OF state ON accounts WHEN OLD.state = 'retired'
BEGIN
    SELECT RAISE(ABORT, 'a retired account never changes');
END;

CREATE TRIGGER an_account_is_never_deleted BEFORE DELETE ON accounts
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

CREATE TRIGGER only_a_quiet_account_retires BEFORE UPDATE OF state ON accounts
    WHEN NEW.state = 'retired' AND EXISTS (
        SELECT 1 FROM transactions
        WHERE account = NEW.account AND state IN ('reserved', 'signed', 'broadcast', 'mined')
    )
BEGIN
    SELECT RAISE(ABORT, 'an account with open transactions cannot retire');
END;

CREATE TRIGGER a_retired_account_reserves_nothing BEFORE INSERT ON transactions
    WHEN (SELECT state FROM accounts WHERE account = NEW.account) = 'retired'
BEGIN
    SELECT RAISE(ABORT, 'a retired account signs never again');
END;

-- Nothing is reserved when an account retires, so this one only ever fires on a mistake of ours.
CREATE TRIGGER a_retired_account_signs_nothing BEFORE UPDATE OF raw ON transactions
    WHEN NEW.raw IS NOT NULL AND (SELECT state FROM accounts WHERE account = NEW.account) = 'retired'
BEGIN
    SELECT RAISE(ABORT, 'a retired account signs never again');
END;
