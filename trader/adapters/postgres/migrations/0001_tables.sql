-- The trader's books. Amounts are base units, instants are unix milliseconds, both whole numbers.
-- No signature, signed transaction or secret has a column here.

CREATE TABLE wallets (
  id            text PRIMARY KEY,                     -- CAIP-10
  state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'halted')),
  halted_reason text,
  opened_block  bigint NOT NULL,
  opened_at     bigint NOT NULL,
  changed_at    bigint NOT NULL,
  CHECK ((state = 'halted') = (halted_reason IS NOT NULL))
);

CREATE TABLE assets (                                 -- how people write amounts; the books do not need it
  id       text PRIMARY KEY,                          -- CAIP-19
  symbol   text NOT NULL,
  decimals smallint NOT NULL CHECK (decimals BETWEEN 0 AND 255)
);

CREATE TABLE balances (                               -- running totals; close_books compares them with the rows they sum up
  wallet   text NOT NULL REFERENCES wallets,
  asset    text NOT NULL,
  free     numeric(78, 0) NOT NULL CHECK (free >= 0),
  reserved numeric(78, 0) NOT NULL CHECK (reserved >= 0),
  incoming numeric(78, 0) NOT NULL CHECK (incoming >= 0),  -- quoted for open swaps that buy it; not ours yet
  PRIMARY KEY (wallet, asset)
) WITH (fillfactor = 50);                             -- room for in-page updates of hot rows

CREATE TABLE orders (
  id                    uuid PRIMARY KEY,
  kind                  text NOT NULL CHECK (kind IN ('swap', 'approval')),
  wallet                text NOT NULL,
  strategy              text NOT NULL,
  venue                 text NOT NULL,
  asset_in              text NOT NULL,
  asset_out             text NOT NULL,
  amount_in             numeric(78, 0) NOT NULL CHECK (amount_in >= 0),
  max_slippage_bps      integer NOT NULL,
  live                  boolean NOT NULL,
  created_at            bigint NOT NULL,
  expires_at            bigint NOT NULL,
  parent                uuid REFERENCES orders,
  spender               text,

  state                 text NOT NULL,
  quote                 jsonb,
  draft                 jsonb,
  idempotency_key       text,
  signer_transaction_id text,
  nonce                 numeric(20, 0),
  transaction_hash      text,
  signed_at             bigint,
  block_number          bigint,
  block_hash            text,
  amount_spent          numeric(78, 0),
  amount_received       numeric(78, 0),
  fee_paid_wei          numeric(78, 0),
  reason                text,

  reserved_at           bigint,                       -- first became RESERVED
  closed_at             bigint,                       -- nothing can happen any more
  due_at                bigint NOT NULL,              -- may be claimed from here on
  lease_owner           text,
  lease_until           bigint,
  fence                 bigint NOT NULL,              -- grows with every claim
  last_seq              integer NOT NULL,             -- of order_events
  CHECK ((closed_at IS NOT NULL) = (state IN ('settled', 'refused', 'expired', 'reverted', 'dropped'))),
  CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
  CHECK (closed_at IS NULL OR lease_owner IS NULL)
) WITH (fillfactor = 70, toast_tuple_target = 8160);   -- a row stays on its page: no compression, no second table

CREATE INDEX orders_due      ON orders (due_at, id) WHERE closed_at IS NULL;
CREATE INDEX orders_cooldown ON orders (wallet, asset_in, asset_out, reserved_at) WHERE reserved_at IS NOT NULL;
CREATE INDEX orders_created  ON orders (created_at);
CREATE UNIQUE INDEX orders_idempotency_key ON orders (idempotency_key) WHERE idempotency_key IS NOT NULL;

-- detail is what changed. The quote and draft of an order that was opened reserved are in its row only: nothing
-- quotes it again.
CREATE TABLE order_events (
  order_id   uuid NOT NULL,
  seq        integer NOT NULL,
  at         bigint NOT NULL,
  from_state text,                                    -- NULL: the order was created
  to_state   text NOT NULL,
  event      text NOT NULL,
  detail     jsonb NOT NULL,
  fence      bigint NOT NULL,
  owner      text,
  PRIMARY KEY (order_id, seq)
) WITH (toast_tuple_target = 8160);

CREATE TABLE approvals (
  order_id   uuid PRIMARY KEY REFERENCES orders,      -- the order that sends the approval
  swap       uuid NOT NULL REFERENCES orders,         -- the order that needs it
  wallet     text NOT NULL,
  token      text NOT NULL,
  spender    text NOT NULL,
  amount     numeric(78, 0) NOT NULL,
  state      text NOT NULL CHECK (state IN ('requested', 'usable', 'consumed', 'abandoned')),
  created_at bigint NOT NULL,
  changed_at bigint NOT NULL
);

-- An allowance is one number per owner, token and spender: two swaps that share it would each break the other's.
CREATE UNIQUE INDEX approvals_active ON approvals (wallet, token, spender) WHERE state IN ('requested', 'usable');
CREATE INDEX approvals_swap ON approvals (swap);

CREATE SEQUENCE ledger_transactions;

CREATE TABLE ledger_accounts (                        -- chart of accounts; `trading` is split further by order_id
  id      text PRIMARY KEY,
  meaning text NOT NULL
);

INSERT INTO ledger_accounts VALUES
  ('wallet/free',     'on the chain, ours to reserve'),
  ('wallet/reserved', 'on the chain, promised to an open order'),
  ('equity/opening',  'what the wallet held when its books were opened'),
  ('trading',         'clearing per order: what it gave up (+) and what it got (-)'),
  ('expense/gas',     'network fees paid');

CREATE TABLE ledger_entries (
  transaction_id bigint NOT NULL,
  line           smallint NOT NULL,
  at             bigint NOT NULL,
  wallet         text NOT NULL,
  order_id       uuid,                                -- NULL: opening
  account        text NOT NULL,
  asset          text NOT NULL,
  amount         numeric(78, 0) NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (transaction_id, line),
  CHECK (account IN ('wallet/free', 'wallet/reserved', 'equity/opening', 'trading', 'expense/gas')),
  CHECK (account <> 'trading' OR order_id IS NOT NULL)
);
