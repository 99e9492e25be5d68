-- The writes of an order's step, in one round trip each. The rules (next state, postings, thresholds) come as
-- arguments from trader/domain and trader/portfolio; nothing is decided here but "does the row still allow it".
--
-- Lock order everywhere: wallet, then order, then balances. Money only moves under the wallet's row lock.

CREATE FUNCTION book(
  p_wallet text, p_order uuid, p_at bigint,
  p_accounts text[], p_assets text[], p_amounts numeric[],                             -- entries
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]         -- changes of balances
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_transaction bigint := nextval('ledger_transactions');
  v_rows integer;
BEGIN
  INSERT INTO ledger_entries (transaction_id, line, at, wallet, order_id, account, asset, amount)
    SELECT v_transaction, p.line, p_at, p_wallet, p_order, p.account, p.asset, p.amount
      FROM unnest(p_accounts, p_assets, p_amounts) WITH ORDINALITY AS p(account, asset, amount, line);
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

-- False: the claim is not the row's any more (owner, fence or state differ), and nothing was written.
CREATE FUNCTION advance_order(
  p_order uuid, p_owner text, p_fence bigint, p_from text, p_to text, p_closes boolean, p_event text, p_at bigint,
  p_changes jsonb, p_approval text, p_wallet text,
  p_accounts text[], p_assets text[], p_amounts numeric[],
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_seq integer;
BEGIN
  IF cardinality(p_moved) > 0 THEN
    PERFORM FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  END IF;
  UPDATE orders o SET
      state       = p_to,
      last_seq    = o.last_seq + 1,
      reserved_at = CASE WHEN p_to = 'reserved' THEN p_at ELSE o.reserved_at END,
      closed_at   = CASE WHEN p_closes THEN p_at END,
      lease_owner = CASE WHEN p_closes THEN NULL ELSE o.lease_owner END,
      lease_until = CASE WHEN p_closes THEN NULL ELSE o.lease_until END,
      (quote, draft, idempotency_key, signer_transaction_id, nonce, transaction_hash, signed_at, block_number,
       block_hash, amount_spent, amount_received, fee_paid_wei, reason) =
      (SELECT c.quote, c.draft, c.idempotency_key, c.signer_transaction_id, c.nonce, c.transaction_hash, c.signed_at,
              c.block_number, c.block_hash, c.amount_spent, c.amount_received, c.fee_paid_wei, c.reason
         FROM jsonb_populate_record(o, p_changes) c)
    WHERE o.id = p_order AND o.lease_owner = p_owner AND o.fence = p_fence AND o.state = p_from
    RETURNING o.last_seq INTO v_seq;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO order_events VALUES
    (p_order, v_seq, p_at, p_from, p_to, p_event, p_changes, p_fence, p_owner);
  IF cardinality(p_moved) > 0 THEN
    PERFORM book(p_wallet, p_order, p_at, p_accounts, p_assets, p_amounts,
                 p_moved, p_free, p_reserved, p_incoming);
  END IF;
  IF p_approval IS NOT NULL THEN
    UPDATE approvals SET state = p_approval, changed_at = p_at
     WHERE (order_id = p_order OR swap = p_order) AND state IN ('requested', 'usable');
  END IF;
  RETURN true;
END $$;

-- NULL: nothing stands against the reservation, and the wallet stays locked until the end of the transaction.
CREATE FUNCTION refuse_reservation(
  p_wallet text, p_asset_in text, p_asset_out text, p_exposure_at_most numeric, p_quiet_since bigint,
  p_moved text[], p_free numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_state text;
  v_covered text[];
  v_refusal text;
BEGIN
  SELECT state INTO v_state FROM wallets WHERE id = p_wallet FOR NO KEY UPDATE;
  IF v_state = 'halted' THEN
    RETURN 'wallet_halted';
  END IF;
  -- Each statement from here on sees what was committed before the lock was ours.
  IF p_quiet_since IS NOT NULL AND EXISTS (
    SELECT FROM orders WHERE wallet = p_wallet AND asset_in = p_asset_in AND asset_out = p_asset_out
       AND reserved_at > p_quiet_since
  ) THEN
    RETURN 'cooldown';
  END IF;
  IF p_exposure_at_most IS NOT NULL AND p_exposure_at_most < coalesce(
    (SELECT free + reserved + incoming FROM balances WHERE wallet = p_wallet AND asset = p_asset_out), 0
  ) THEN
    RETURN 'position_limit';
  END IF;
  v_covered := ARRAY(
    SELECT asset FROM balances
     WHERE wallet = p_wallet AND asset = ANY (p_moved) AND free + p_free[array_position(p_moved, asset)] >= 0);
  FOR i IN 1 .. cardinality(p_moved) LOOP
    IF p_free[i] < 0 AND p_moved[i] <> ALL (v_covered) THEN
      IF p_moved[i] = p_asset_in THEN
        RETURN 'insufficient_funds';
      END IF;
      v_refusal := 'insufficient_native_for_fee';
    END IF;
  END LOOP;
  RETURN v_refusal;
END $$;

-- 'reserved', 'lease_lost', or the code of the refusal; all but the first wrote nothing.
CREATE FUNCTION reserve_order(
  p_order uuid, p_owner text, p_fence bigint, p_from text, p_to text, p_event text, p_at bigint,
  p_wallet text, p_asset_in text, p_asset_out text, p_exposure_at_most numeric, p_quiet_since bigint,
  p_accounts text[], p_assets text[], p_amounts numeric[],
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_refusal text := refuse_reservation(
    p_wallet, p_asset_in, p_asset_out, p_exposure_at_most, p_quiet_since, p_moved, p_free);
BEGIN
  IF v_refusal IS NOT NULL THEN
    RETURN v_refusal;
  END IF;
  RETURN CASE WHEN advance_order(
    p_order, p_owner, p_fence, p_from, p_to, false, p_event, p_at, '{}', NULL, p_wallet,
    p_accounts, p_assets, p_amounts, p_moved, p_free, p_reserved, p_incoming) THEN 'reserved' ELSE 'lease_lost' END;
END $$;

-- False: there is an order of that id already.
CREATE FUNCTION create_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text,
  p_state text, p_event text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO orders (id, kind, wallet, strategy, venue, asset_in, asset_out, amount_in, max_slippage_bps, live,
                      created_at, expires_at, parent, spender, state, due_at, fence, last_seq)
    VALUES (p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
            p_created_at, p_expires_at, p_parent, p_spender, p_state, p_created_at, 0, 1)
    ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO order_events VALUES (p_id, 1, p_created_at, NULL, p_state, p_event, '{}', 0, NULL);
  RETURN true;
END $$;

-- Creates an order that is RESERVED from its first moment; answers as reserve_order does. `p_states` and `p_events` are
-- the three steps that lead there.
CREATE FUNCTION open_reserved_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text,
  p_quote jsonb, p_draft jsonb, p_owner text, p_lease_until bigint, p_at bigint, p_states text[], p_events text[],
  p_exposure_at_most numeric, p_quiet_since bigint,
  p_accounts text[], p_assets text[], p_amounts numeric[],
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_refusal text := refuse_reservation(
    p_wallet, p_asset_in, p_asset_out, p_exposure_at_most, p_quiet_since, p_moved, p_free);
BEGIN
  IF v_refusal IS NOT NULL THEN
    RETURN v_refusal;
  END IF;
  INSERT INTO orders (id, kind, wallet, strategy, venue, asset_in, asset_out, amount_in, max_slippage_bps, live,
                      created_at, expires_at, parent, spender, state, quote, draft, reserved_at, due_at,
                      lease_owner, lease_until, fence, last_seq)
    VALUES (p_id, p_kind, p_wallet, p_strategy, p_venue, p_asset_in, p_asset_out, p_amount_in, p_max_slippage_bps, p_live,
            p_created_at, p_expires_at, p_parent, p_spender, p_states[3], p_quote, p_draft, p_at, p_created_at,
            p_owner, p_lease_until, 1, 3)
    ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN 'lease_lost';
  END IF;
  INSERT INTO order_events VALUES
    (p_id, 1, p_at, NULL, p_states[1], p_events[1], '{}', 1, NULL),
    (p_id, 2, p_at, p_states[1], p_states[2], p_events[2], '{}', 1, p_owner),
    (p_id, 3, p_at, p_states[2], p_states[3], p_events[3], '{}', 1, p_owner);
  PERFORM book(p_wallet, p_id, p_at, p_accounts, p_assets, p_amounts, p_moved, p_free, p_reserved, p_incoming);
  RETURN 'reserved';
END $$;

-- Opens the approval that a held swap needs, RESERVED from its first moment. Answers as open_reserved_order does, or
-- 'swap_lost', or 'allowance_taken': another swap of the wallet has this token and spender. Rivals wait for the wallet.
CREATE FUNCTION open_approval(
  p_swap_fence bigint, p_token text,
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_swap uuid, p_spender text,
  p_quote jsonb, p_draft jsonb, p_owner text, p_lease_until bigint, p_at bigint, p_states text[], p_events text[],
  p_exposure_at_most numeric, p_quiet_since bigint,
  p_accounts text[], p_assets text[], p_amounts numeric[],
  p_moved text[], p_free numeric[], p_reserved numeric[], p_incoming numeric[]
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
    p_created_at, p_expires_at, p_swap, p_spender, p_quote, p_draft, p_owner, p_lease_until, p_at, p_states, p_events,
    p_exposure_at_most, p_quiet_since, p_accounts, p_assets, p_amounts, p_moved, p_free, p_reserved, p_incoming);
  IF v_verdict = 'reserved' THEN
    INSERT INTO approvals (order_id, swap, wallet, token, spender, amount, state, created_at, changed_at)
      VALUES (p_id, p_swap, p_wallet, p_token, p_spender, p_amount_in, 'requested', p_at, p_at);
  END IF;
  RETURN v_verdict;
END $$;
