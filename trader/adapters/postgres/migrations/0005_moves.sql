-- A rotation of the account: the books move from a wallet to its successor, once, and only as the chain shows it.

ALTER TYPE ledger_account ADD VALUE 'equity/moved';
INSERT INTO ledger_accounts VALUES
  ('equity/moved', 'cleared between the two wallets of a rotation: what left one (+) and came to the other (-)');

ALTER TABLE wallets
  ADD COLUMN draining     boolean NOT NULL DEFAULT false,  -- no reservations: its account is being rotated out, or was
  ADD COLUMN successor    text,                            -- who trades instead, since the move was booked
  ADD COLUMN predecessors text[] NOT NULL DEFAULT '{}',    -- whose orders count as its own: cool-downs, positions
  ADD COLUMN agreed_block bigint;                          -- so far books and chain were seen equal; NULL: opened_block

CREATE TABLE moves (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  wallet       text NOT NULL REFERENCES wallets,           -- whose books they are
  other        text NOT NULL,
  target       text NOT NULL,                              -- where the funds go: the other, or back after an abort
  from_block   bigint NOT NULL,
  begun_at     bigint NOT NULL,
  changed_at   bigint NOT NULL,
  booked_at    bigint,                                     -- NULL: under way
  block_number bigint,                                     -- the final block at which it closed
  transactions text[] NOT NULL DEFAULT '{}',               -- what the two sent, by hash
  CHECK (target IN (wallet, other) AND wallet <> other),
  CHECK ((booked_at IS NULL) = (block_number IS NULL))
);
CREATE UNIQUE INDEX moves_under_way ON moves (wallet) WHERE booked_at IS NULL;

CREATE TABLE move_lines (                                  -- of booked moves, base units
  move_id bigint NOT NULL REFERENCES moves,
  asset   text NOT NULL,
  moved   numeric(78, 0) NOT NULL,                         -- to the target
  fee     numeric(78, 0) NOT NULL,                         -- that both paid for it
  "left"  numeric(78, 0) NOT NULL,                         -- behind at the source
  PRIMARY KEY (move_id, asset)
);

CREATE FUNCTION begin_move(p_wallet text, p_other text, p_target text, p_at bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE wallets SET draining = true, changed_at = p_at WHERE id = p_wallet AND successor IS NULL;
  IF NOT FOUND THEN
    RETURN EXISTS (SELECT FROM wallets WHERE id = p_wallet);  -- moved on since: nothing to begin
  END IF;
  INSERT INTO moves (wallet, other, target, from_block, begun_at, changed_at)
    SELECT id, p_other, p_target, coalesce(agreed_block, opened_block), p_at, p_at FROM wallets WHERE id = p_wallet
    ON CONFLICT DO NOTHING;
  RETURN true;
END $$;

-- 'booked', 'gone' or 'changed'; all but the first wrote nothing. `p_*_before` are the books that the entries were made
-- from, by the assets of `p_assets`; NULL for the other wallet means that it has none.
CREATE FUNCTION book_move(
  p_move bigint, p_wallet text, p_other text, p_target text, p_at bigint, p_block bigint, p_agreed bigint,
  p_explained text, p_transactions text[],
  p_assets text[], p_wallet_before numeric[], p_other_before numeric[],
  p_accounts text[], p_entry_assets text[], p_amounts numeric[],
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[],
  p_other_accounts text[], p_other_entry_assets text[], p_other_amounts numeric[],
  p_other_moved text[], p_other_free numeric[], p_other_reserved numeric[], p_other_incoming numeric[],
  p_line_moved numeric[], p_line_fee numeric[], p_line_left numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_reason text;
BEGIN
  PERFORM FROM wallets WHERE id IN (p_wallet, p_other) ORDER BY id FOR NO KEY UPDATE;
  PERFORM FROM moves WHERE id = p_move AND target = p_target AND booked_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'gone';
  END IF;
  IF EXISTS (SELECT FROM orders WHERE wallet IN (p_wallet, p_other) AND closed_at IS NULL)
     OR NOT holds_exactly(p_wallet, p_assets, p_wallet_before)
     OR (p_other_before IS NULL) <> NOT EXISTS (SELECT FROM wallets WHERE id = p_other)
     OR (p_other_before IS NOT NULL AND NOT holds_exactly(p_other, p_assets, p_other_before)) THEN
    RETURN 'changed';
  END IF;
  IF p_other_before IS NULL THEN
    INSERT INTO wallets (id, opened_block, opened_at, changed_at) VALUES (p_other, p_agreed, p_at, p_at);
    INSERT INTO balances SELECT p_other, asset, 0, 0, 0 FROM unnest(p_assets) AS asset;
  END IF;
  PERFORM book(p_wallet, NULL, p_at, p_accounts, p_entry_assets, p_amounts, p_moved, p_free, p_reserved, p_incoming);
  PERFORM book(p_other, NULL, p_at, p_other_accounts, p_other_entry_assets, p_other_amounts,
               p_other_moved, p_other_free, p_other_reserved, p_other_incoming);
  SELECT halted_reason INTO v_reason FROM wallets WHERE id = p_wallet AND NOT halted_reason ~ p_explained;
  UPDATE wallets w SET
      draining      = w.id <> p_target,
      successor     = CASE WHEN w.id <> p_target THEN p_target END,
      predecessors  = CASE WHEN w.id <> p_target OR p_target = p_wallet THEN w.predecessors
        ELSE array_remove(ARRAY(
          SELECT DISTINCT unnest(o.predecessors || o.id) FROM wallets o WHERE o.id = p_wallet), p_target) END,
      agreed_block  = CASE WHEN w.id = p_target THEN p_agreed ELSE p_block END,
      state         = CASE WHEN w.id = p_target AND v_reason IS NOT NULL THEN 'halted' ELSE 'active' END,
      halted_reason = CASE WHEN w.id = p_target THEN v_reason END,
      changed_at    = p_at
    WHERE w.id IN (p_wallet, p_other);
  UPDATE moves SET booked_at = p_at, changed_at = p_at, block_number = p_block, transactions = p_transactions
    WHERE id = p_move;
  INSERT INTO move_lines SELECT p_move, p_assets[i], p_line_moved[i], p_line_fee[i], p_line_left[i]
    FROM generate_subscripts(p_assets, 1) AS i;
  RETURN 'booked';
END $$;

-- Nothing reserved or incoming, and of each asset exactly that much, of any other none.
CREATE FUNCTION holds_exactly(p_wallet text, p_assets text[], p_free numeric[]) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT NOT EXISTS (
    SELECT FROM (SELECT * FROM balances WHERE wallet = p_wallet) AS held
      FULL JOIN unnest(p_assets, p_free) AS expected(asset, amount) USING (asset)
     WHERE coalesce(free, 0) <> coalesce(amount, 0) OR coalesce(reserved, 0) <> 0 OR coalesce(incoming, 0) <> 0
  )
$$;

-- As in 0004, but a draining wallet refuses, and a cool-down also counts the orders of predecessors.
CREATE OR REPLACE FUNCTION refuse_reservation(
  p_wallet text, p_asset_in text, p_asset_out text, p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_state text;
  v_draining boolean;
  v_before text[];
  v_rows integer;
  v_short text[];
BEGIN
  SELECT state, draining, predecessors INTO v_state, v_draining, v_before FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  IF v_state = 'halted' THEN
    RETURN 'wallet_halted';
  END IF;
  IF v_draining THEN
    RETURN 'wallet_draining';
  END IF;
  -- Each statement from here on sees what was committed before the lock was ours.
  IF p_quiet_since IS NOT NULL THEN
    PERFORM FROM orders WHERE wallet = ANY (p_wallet || v_before) AND asset_in = p_asset_in AND asset_out = p_asset_out
       AND reserved_at > p_quiet_since LIMIT 1;
    IF FOUND THEN
      RETURN 'cooldown';
    END IF;
  END IF;
  IF p_exposure_at_most IS NOT NULL THEN
    IF p_exposure_at_most < coalesce(
      (SELECT free + reserved + incoming FROM balances WHERE wallet = p_wallet AND asset = p_asset_out), 0
    ) THEN
      RETURN 'position_limit';
    END IF;
  END IF;
  PERFORM FROM balances
    WHERE wallet = p_wallet AND asset = ANY (p_moved) AND free + p_free[array_position(p_moved, asset)] >= 0;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows = cardinality(p_moved) THEN
    RETURN NULL;
  END IF;
  v_short := ARRAY(
    SELECT d.asset FROM unnest(p_moved, p_free) AS d(asset, free)
     WHERE d.free + coalesce((SELECT b.free FROM balances b WHERE b.wallet = p_wallet AND b.asset = d.asset), 0) < 0);
  RETURN CASE
    WHEN p_asset_in = ANY (v_short) THEN 'insufficient_funds'
    WHEN cardinality(v_short) > 0 THEN 'insufficient_native_for_fee' END;
END $$;
