-- The ledger of signatures. Invariants that can be constraints are constraints.
-- uint256 amounts are decimal TEXT; times are unix milliseconds; `raw` is broadcastable and leaves only as an answer.

CREATE TABLE meta (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    boots            INTEGER NOT NULL,  -- starts of a signer on this file
    epoch            TEXT NOT NULL,     -- random, new with every start, also in the file beside
    previous_epoch   TEXT NOT NULL,     -- for a crash between the two
    file_inode       INTEGER NOT NULL,  -- a copied file has another one
    accepted_restores INTEGER NOT NULL  -- times that an operator said: go on with this file
) STRICT;

CREATE TABLE accounts (
    account    TEXT PRIMARY KEY,
    state      TEXT NOT NULL CHECK (state IN ('active', 'paused', 'draining', 'retired')),
    reason     TEXT NOT NULL,
    next_nonce INTEGER NOT NULL CHECK (next_nonce >= 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE free_nonces (
    account TEXT NOT NULL REFERENCES accounts (account),
    nonce   INTEGER NOT NULL CHECK (nonce >= 0),
    PRIMARY KEY (account, nonce)
) STRICT, WITHOUT ROWID;

CREATE TABLE transactions (
    seq             INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    account         TEXT NOT NULL REFERENCES accounts (account),
    nonce           INTEGER NOT NULL CHECK (nonce >= 0),
    client          TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_digest  TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('original', 'replacement', 'cancellation')),
    replaces        TEXT REFERENCES transactions (id),
    state           TEXT NOT NULL CHECK (state IN
        ('reserved', 'signed', 'broadcast', 'mined', 'final', 'released', 'replaced', 'cancelled')),
    chain_id        INTEGER NOT NULL,
    recipient       TEXT NOT NULL,
    value_wei       TEXT NOT NULL,
    data            BLOB NOT NULL,
    gas_limit       TEXT NOT NULL,
    max_fee_per_gas_wei          TEXT NOT NULL,
    max_priority_fee_per_gas_wei TEXT NOT NULL,
    policy_hash     TEXT NOT NULL,
    reserved_at     INTEGER NOT NULL,
    payload_hash    TEXT NOT NULL DEFAULT '',
    raw             BLOB,
    hash            TEXT,
    signed_at       INTEGER,
    block_number    INTEGER,
    block_hash      TEXT,
    reverted        INTEGER NOT NULL DEFAULT 0 CHECK (reverted IN (0, 1)),
    fee_paid_wei    TEXT,
    CHECK ((kind = 'original') = (replaces IS NULL)),
    -- Signed and everything after it holds the signature; reserved and released never did.
    CHECK ((state IN ('reserved', 'released')) = (raw IS NULL)),
    CHECK ((raw IS NULL) = (hash IS NULL) AND (raw IS NULL) = (signed_at IS NULL) AND (raw IS NULL) = (payload_hash = ''))
) STRICT;

-- Invariant 1: one original per nonce; whatever else is signed for that nonce names what it replaces (trigger below).
CREATE UNIQUE INDEX one_original_per_nonce ON transactions (account, nonce)
    WHERE kind = 'original' AND state <> 'released';
CREATE UNIQUE INDEX one_answer_per_key ON transactions (client, idempotency_key) WHERE state <> 'released';
CREATE INDEX transactions_of_a_nonce ON transactions (account, nonce, seq) WHERE state <> 'released';
CREATE INDEX open_transactions ON transactions (account, nonce, seq) WHERE state IN ('signed', 'broadcast', 'mined');
CREATE INDEX mined_transactions ON transactions (account, nonce, seq) WHERE state = 'mined';

CREATE TRIGGER a_replacement_keeps_its_nonce BEFORE INSERT ON transactions
    WHEN NEW.replaces IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM transactions WHERE id = NEW.replaces AND account = NEW.account AND nonce = NEW.nonce
    )
BEGIN
    SELECT RAISE(ABORT, 'a replacement must name a transaction of the same account and nonce');
END;

CREATE TRIGGER a_signature_never_changes BEFORE UPDATE OF raw, hash, payload_hash ON transactions
    WHEN OLD.raw IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a signature is never changed');
END;

CREATE TRIGGER a_transaction_keeps_its_slot BEFORE UPDATE OF id, account, nonce, client, idempotency_key, kind, replaces
    ON transactions
BEGIN
    SELECT RAISE(ABORT, 'a transaction keeps its slot');
END;

CREATE TRIGGER a_transaction_is_never_deleted BEFORE DELETE ON transactions
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

-- `dated_at` is NULL while the outcome is open: such a charge counts in every window.
CREATE TABLE charges (
    transaction_id TEXT NOT NULL REFERENCES transactions (id),
    resource       TEXT NOT NULL,
    amount         TEXT NOT NULL,
    dated_at       INTEGER,
    PRIMARY KEY (transaction_id, resource)
) STRICT, WITHOUT ROWID;

-- Append-only, so the row id only ever grows: it is the cursor of the subscribers.
CREATE TABLE events (
    cursor         INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    transaction_id TEXT NOT NULL REFERENCES transactions (id),
    previous       TEXT,
    state          TEXT NOT NULL
) STRICT;

CREATE TRIGGER an_event_never_changes BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;

CREATE TRIGGER an_event_is_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'history is kept');
END;
