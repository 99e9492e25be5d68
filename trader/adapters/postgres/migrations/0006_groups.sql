-- Wallets of several accounts, orders that follow one another, and top-ups between two wallets of ours.

ALTER TABLE wallets
  ADD COLUMN wallet_group text;                       -- the signer's wallet whose limits it shares; NULL: it trades alone

ALTER TABLE orders
  DROP CONSTRAINT orders_kind_check,
  ADD CHECK (kind IN ('swap', 'approval', 'top_up')),
  ADD COLUMN wallet_group text,                       -- the wallet whose account was chosen for it
  ADD COLUMN follows      uuid REFERENCES orders,     -- the order whose account could not sign
  ADD COLUMN recipient    text,                       -- of a top-up: the wallet that gets it
  ADD COLUMN waiting      text,                       -- how far a person is with it, for people
  ADD CHECK ((kind = 'top_up') = (recipient IS NOT NULL));

-- Whatever crashes: an order is followed by one other at most, and a line of the treasury has one top-up at a time.
CREATE UNIQUE INDEX orders_follows ON orders (follows) WHERE follows IS NOT NULL;
CREATE UNIQUE INDEX orders_top_up  ON orders (wallet, recipient, asset_in) WHERE kind = 'top_up' AND closed_at IS NULL;
CREATE INDEX orders_top_ups        ON orders (wallet, recipient, asset_in, created_at) WHERE kind = 'top_up';

-- The accounts of a wallet, with those that took over from them; empty for one that trades alone.
CREATE FUNCTION group_of(p_group text) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT coalesce(array_agg(w.id), '{}') FROM wallets w
   WHERE w.wallet_group = p_group
      OR EXISTS (SELECT FROM wallets g WHERE g.wallet_group = p_group AND g.id = ANY (w.predecessors))
$$;

-- As in 0005, but position limits and cool-downs hold over all accounts of a wallet. Whoever reserves under one of them
-- locks every account, in the order of their names: two accounts cannot both take the last of the room.
CREATE OR REPLACE FUNCTION refuse_reservation(
  p_wallet text, p_asset_in text, p_asset_out text, p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_state text;
  v_draining boolean;
  v_before text[];
  v_group text;
  v_counted text[] := ARRAY[p_wallet];
  v_rows integer;
  v_short text[];
BEGIN
  IF p_quiet_since IS NOT NULL OR p_exposure_at_most IS NOT NULL THEN
    SELECT predecessors, wallet_group INTO v_before, v_group FROM wallets WHERE id = p_wallet;
    IF v_group IS NULL AND cardinality(v_before) > 0 THEN
      SELECT wallet_group INTO v_group FROM wallets WHERE id = ANY (v_before) AND wallet_group IS NOT NULL LIMIT 1;
    END IF;
    IF v_group IS NOT NULL THEN
      v_counted := group_of(v_group);
      PERFORM FROM wallets WHERE id = ANY (v_counted) ORDER BY id FOR NO KEY UPDATE;
    END IF;
  END IF;
  SELECT state, draining, predecessors INTO v_state, v_draining, v_before FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  IF v_state = 'halted' THEN
    RETURN 'wallet_halted';
  END IF;
  IF v_draining THEN
    RETURN 'wallet_draining';
  END IF;
  -- Each statement from here on sees what was committed before the lock was ours.
  IF p_quiet_since IS NOT NULL THEN
    PERFORM FROM orders WHERE wallet = ANY (v_counted || v_before) AND asset_in = p_asset_in AND asset_out = p_asset_out
       AND reserved_at > p_quiet_since LIMIT 1;
    IF FOUND THEN
      RETURN 'cooldown';
    END IF;
  END IF;
  IF p_exposure_at_most IS NOT NULL THEN
    IF p_exposure_at_most < coalesce(
      (SELECT sum(free + reserved + incoming) FROM balances WHERE wallet = ANY (v_counted) AND asset = p_asset_out), 0
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

DROP FUNCTION open_approval;
DROP FUNCTION open_reserved_order;
DROP FUNCTION create_order;

-- The next three: as before, with the new columns. False: there is an order of that id already.
CREATE FUNCTION create_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text, p_wallet_group text, p_follows uuid, p_recipient text,
  p_state text, p_event text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO orders (id, kind, wallet, strategy, venue, asset_in, asset_out, amount_in, max_slippage_bps, live,
                      created_at, expires_at, parent, spender, wallet_group, follows, recipient,
                      state, due_at, fence, last_seq)
    VALUES (p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
            p_created_at, p_expires_at, p_parent, p_spender, p_wallet_group, p_follows, p_recipient,
            p_state, p_created_at, 0, 1)
    ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO order_events VALUES (p_id, 1, p_created_at, NULL, p_state, p_event, '{}', 0, NULL);
  RETURN true;
END $$;

-- Creates an order that is RESERVED from its first moment; answers 'reserved' or the code of the refusal, which wrote
-- nothing. An order of that id that is there already violates its primary key. `p_states` and `p_events` are the three
-- steps that lead there. A hold only moves between free and reserved, so its entries are the changes of the balances.
CREATE FUNCTION open_reserved_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text, p_wallet_group text, p_follows uuid, p_recipient text,
  p_quote jsonb, p_draft jsonb, p_owner text, p_lease_until bigint, p_at bigint,
  p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[], p_incoming numeric[],
  p_states text[], p_events text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_refusal text := refuse_reservation(
    p_wallet, p_asset_in, p_asset_out, p_exposure_at_most, p_quiet_since, p_moved, p_free);
  v_rows integer;
BEGIN
  IF v_refusal IS NOT NULL THEN
    RETURN v_refusal;
  END IF;
  INSERT INTO orders (id, kind, wallet, strategy, venue, asset_in, asset_out, amount_in, max_slippage_bps, live,
                      created_at, expires_at, parent, spender, wallet_group, follows, recipient,
                      state, quote, draft, reserved_at, due_at,
                      lease_owner, lease_until, fence, last_seq)
    VALUES (p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
            p_created_at, p_expires_at, p_parent, p_spender, p_wallet_group, p_follows, p_recipient,
            p_states[3], p_quote, p_draft, p_at, p_created_at,
            p_owner, p_lease_until, 1, 3);
  INSERT INTO order_events VALUES
    (p_id, 1, p_at, NULL, p_states[1], p_events[1], '{}', 1, NULL),
    (p_id, 2, p_at, p_states[1], p_states[2], p_events[2], '{}', 1, p_owner),
    (p_id, 3, p_at, p_states[2], p_states[3], p_events[3], '{}', 1, p_owner);
  INSERT INTO ledger_entries (transaction_id, line, at, wallet, order_id, account, asset, amount)
    SELECT t.id, e.line, p_at, p_wallet, p_id, e.account, p_moved[i], e.amount
      FROM (VALUES (nextval('ledger_transactions'))) AS t(id), generate_subscripts(p_moved, 1) AS i, LATERAL (VALUES
        (2 * i - 1, 'wallet/free'::ledger_account, p_free[i]), (2 * i, 'wallet/reserved', -p_free[i])
      ) AS e(line, account, amount)
     WHERE e.amount <> 0;
  UPDATE balances SET
      free     = free     + p_free[array_position(p_moved, asset)],
      reserved = reserved - p_free[array_position(p_moved, asset)],
      incoming = incoming + p_incoming[array_position(p_moved, asset)]
    WHERE wallet = p_wallet AND asset = ANY (p_moved);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows < cardinality(p_moved) THEN
    INSERT INTO balances
      SELECT p_wallet, d.asset, d.free, -d.free, d.incoming
        FROM unnest(p_moved, p_free, p_incoming) AS d(asset, free, incoming)
       WHERE NOT EXISTS (SELECT FROM balances b WHERE b.wallet = p_wallet AND b.asset = d.asset);
  END IF;
  RETURN 'reserved';
END $$;

-- Opens the approval that a held swap needs, RESERVED from its first moment. Answers as open_reserved_order does, or
-- 'swap_lost', or 'allowance_taken': another swap of the wallet has this token and spender. Rivals wait for the wallet.
CREATE FUNCTION open_approval(
  p_swap_fence bigint, p_token text,
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_swap uuid, p_spender text, p_wallet_group text, p_follows uuid, p_recipient text,
  p_quote jsonb, p_draft jsonb, p_owner text, p_lease_until bigint, p_at bigint,
  p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[], p_incoming numeric[],
  p_states text[], p_events text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_verdict text;
BEGIN
  PERFORM FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  PERFORM FROM orders WHERE id = p_swap AND lease_owner = p_owner AND fence = p_swap_fence AND closed_at IS NULL
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN 'swap_lost';
  END IF;
  IF EXISTS (
    SELECT FROM approvals WHERE wallet = p_wallet AND token = p_token AND spender = p_spender
       AND state IN ('requested', 'usable')
  ) THEN
    RETURN 'allowance_taken';
  END IF;
  v_verdict := open_reserved_order(
    p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
    p_created_at, p_expires_at, p_swap, p_spender, p_wallet_group, p_follows, p_recipient,
    p_quote, p_draft, p_owner, p_lease_until, p_at,
    p_exposure_at_most, p_quiet_since, p_moved, p_free, p_incoming, p_states, p_events);
  IF v_verdict = 'reserved' THEN
    INSERT INTO approvals (order_id, swap, wallet, token, spender, amount, state, created_at, changed_at)
      VALUES (p_id, p_swap, p_wallet, p_token, p_spender, p_amount_in, 'requested', p_at, p_at);
  END IF;
  RETURN v_verdict;
END $$;
