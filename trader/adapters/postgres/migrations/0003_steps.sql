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
  UPDATE balances b
     SET free = b.free + d.free, reserved = b.reserved + d.reserved, incoming = b.incoming + d.incoming
    FROM unnest(p_moved, p_free, p_reserved, p_incoming) AS d(asset, free, reserved, incoming)
   WHERE b.wallet = p_wallet AND b.asset = d.asset;
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
  v_short text[];
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
  IF p_exposure_at_most < (
    SELECT free + reserved + incoming FROM balances WHERE wallet = p_wallet AND asset = p_asset_out
  ) OR p_exposure_at_most < 0 THEN
    RETURN 'position_limit';
  END IF;
  SELECT array_agg(d.asset) INTO v_short
    FROM unnest(p_moved, p_free) AS d(asset, free)
    LEFT JOIN balances b ON b.wallet = p_wallet AND b.asset = d.asset
   WHERE coalesce(b.free, 0) + d.free < 0;
  RETURN CASE
    WHEN v_short IS NULL THEN NULL
    WHEN p_asset_in = ANY (v_short) THEN 'insufficient_funds'
    ELSE 'insufficient_native_for_fee'
  END;
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

-- False: there is an order of that id already. `p_events` are whole rows of order_events.
CREATE FUNCTION create_order(p_order jsonb, p_events jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO orders SELECT * FROM jsonb_populate_record(NULL::orders, p_order) ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO order_events SELECT * FROM jsonb_populate_recordset(NULL::order_events, p_events);
  RETURN true;
END $$;

-- Creates an order that is RESERVED from its first moment; answers as reserve_order does.
CREATE FUNCTION open_reserved_order(
  p_order jsonb, p_events jsonb, p_id uuid, p_at bigint,
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
  IF NOT create_order(p_order, p_events) THEN
    RETURN 'lease_lost';
  END IF;
  PERFORM book(p_wallet, p_id, p_at, p_accounts, p_assets, p_amounts, p_moved, p_free, p_reserved, p_incoming);
  RETURN 'reserved';
END $$;
