-- Opens a reserved order with fewer and cheaper statements. Locks, their order, guards and constraints are as before.

-- The chart of accounts as a type: a CHECK with a list is parsed again by every INSERT, a type is not.
CREATE TYPE ledger_account AS ENUM ('wallet/free', 'wallet/reserved', 'equity/opening', 'trading', 'expense/gas');
ALTER TABLE ledger_entries
  DROP CONSTRAINT ledger_entries_account_check,
  DROP CONSTRAINT ledger_entries_check,
  ALTER COLUMN account TYPE ledger_account USING account::ledger_account,
  ADD CHECK (account <> 'trading' OR order_id IS NOT NULL);

CREATE OR REPLACE FUNCTION book(
  p_wallet text, p_order uuid, p_at bigint,
  p_accounts text[], p_assets text[], p_amounts numeric[],                             -- entries
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]         -- changes of balances
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_rows integer;
BEGIN
  IF cardinality(p_accounts) > 0 THEN
    INSERT INTO ledger_entries (transaction_id, line, at, wallet, order_id, account, asset, amount)
      SELECT v.transaction_id, i, p_at, p_wallet, p_order, p_accounts[i]::ledger_account, p_assets[i], p_amounts[i]
        FROM (VALUES (nextval('ledger_transactions'))) AS v(transaction_id), generate_subscripts(p_accounts, 1) AS i;
  END IF;
  UPDATE balances SET  -- no join: always a few rows by their key, whatever the planner thinks of the arrays
      free     = free     + p_free[array_position(p_moved, asset)],
      reserved = reserved + p_reserved[array_position(p_moved, asset)],
      incoming = incoming + p_incoming[array_position(p_moved, asset)]
    WHERE wallet = p_wallet AND asset = ANY (p_moved);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows < cardinality(p_moved) THEN  -- the wallet's first contact with an asset; its lock keeps rivals away
    INSERT INTO balances
      SELECT p_wallet, d.asset, d.free, d.reserved, d.incoming
        FROM unnest(p_moved, p_free, p_reserved, p_incoming) AS d(asset, free, reserved, incoming)
       WHERE NOT EXISTS (SELECT FROM balances b WHERE b.wallet = p_wallet AND b.asset = d.asset);
  END IF;
END $$;

-- NULL: nothing stands against the reservation, and the wallet stays locked until the end of the transaction.
-- IFs are nested, not joined by AND: a subquery costs its start-up even where its answer is not needed.
CREATE OR REPLACE FUNCTION refuse_reservation(
  p_wallet text, p_asset_in text, p_asset_out text, p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_state text;
  v_rows integer;
  v_short text[];
BEGIN
  SELECT state INTO v_state FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  IF v_state = 'halted' THEN
    RETURN 'wallet_halted';
  END IF;
  -- Each statement from here on sees what was committed before the lock was ours.
  IF p_quiet_since IS NOT NULL THEN
    PERFORM FROM orders WHERE wallet = p_wallet AND asset_in = p_asset_in AND asset_out = p_asset_out
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

DROP FUNCTION open_approval;
DROP FUNCTION open_reserved_order;

-- Creates an order that is RESERVED from its first moment; answers 'reserved' or the code of the refusal, which wrote
-- nothing. An order of that id that is there already violates its primary key. `p_states` and `p_events` are the three
-- steps that lead there. A hold only moves between free and reserved, so its entries are the changes of the balances.
CREATE FUNCTION open_reserved_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text,
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
                      created_at, expires_at, parent, spender, state, quote, draft, reserved_at, due_at,
                      lease_owner, lease_until, fence, last_seq)
    VALUES (p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
            p_created_at, p_expires_at, p_parent, p_spender, p_states[3], p_quote, p_draft, p_at, p_created_at,
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
  p_swap uuid, p_spender text,
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
    p_created_at, p_expires_at, p_swap, p_spender, p_quote, p_draft, p_owner, p_lease_until, p_at,
    p_exposure_at_most, p_quiet_since, p_moved, p_free, p_incoming, p_states, p_events);
  IF v_verdict = 'reserved' THEN
    INSERT INTO approvals (order_id, swap, wallet, token, spender, amount, state, created_at, changed_at)
      VALUES (p_id, p_swap, p_wallet, p_token, p_spender, p_amount_in, 'requested', p_at, p_at);
  END IF;
  RETURN v_verdict;
END $$;
