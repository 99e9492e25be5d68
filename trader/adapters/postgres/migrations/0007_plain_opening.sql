-- Opens a reserved order with as few looks at the books as there can be. Locks, their order, guards and verdicts are as
-- before: a process serves many connections, and each statement costs more in cold memory than in work.

DROP FUNCTION open_approval;
DROP FUNCTION open_reserved_order;

-- Creates an order that is RESERVED from its first moment; answers 'reserved' or the code of the refusal, which wrote
-- nothing. An order of that id that is there already violates its primary key. `p_states` and `p_events` are the three
-- steps that lead there. It holds one asset or two (NULL: no second one), and p_incoming of p_pending (NULL: none) is
-- expected. A hold only moves between free and reserved, so its entries are the changes of the balances.
CREATE FUNCTION open_reserved_order(
  p_id uuid, p_kind text, p_wallet text, p_strategy text, p_venue text, p_asset_in text, p_asset_out text,
  p_amount_in numeric, p_max_slippage_bps integer, p_live boolean, p_created_at bigint, p_expires_at bigint,
  p_parent uuid, p_spender text, p_wallet_group text, p_follows uuid, p_recipient text,
  p_quote jsonb, p_draft jsonb, p_owner text, p_lease_until bigint, p_at bigint,
  p_exposure_at_most numeric, p_quiet_since bigint,
  p_held_1 text, p_hold_1 numeric, p_held_2 text, p_hold_2 numeric, p_pending text, p_incoming numeric,
  p_states text[], p_events text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_wanted integer := num_nonnulls(p_held_1, p_held_2, nullif(nullif(p_pending, p_held_1), p_held_2));
  v_rows integer;
  v_clear boolean := false;
  v_refusal text;
  v_transaction bigint;
BEGIN
  -- The plain case: a wallet that trades alone, and nothing stands against it. Whatever else it is,
  -- refuse_reservation knows it and says why.
  PERFORM FROM wallets
    WHERE id = p_wallet AND state = 'active' AND NOT draining AND wallet_group IS NULL AND predecessors = '{}'
      FOR NO KEY UPDATE;
  IF FOUND AND (p_exposure_at_most IS NULL OR p_pending = p_asset_out) THEN
    -- Each statement from here on sees what was committed before the lock was ours.
    PERFORM FROM balances
      WHERE wallet = p_wallet AND asset IN (p_held_1, p_held_2, p_pending)
        AND free >= CASE asset WHEN p_held_1 THEN p_hold_1 WHEN p_held_2 THEN p_hold_2 ELSE 0 END
        AND (asset <> p_asset_out OR p_exposure_at_most IS NULL OR free + reserved + incoming <= p_exposure_at_most);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows = v_wanted THEN
      v_clear := true;
      IF p_quiet_since IS NOT NULL THEN
        PERFORM FROM orders WHERE wallet = p_wallet AND asset_in = p_asset_in AND asset_out = p_asset_out
           AND reserved_at > p_quiet_since LIMIT 1;
        v_clear := NOT FOUND;
      END IF;
    END IF;
  END IF;
  IF NOT v_clear THEN
    v_refusal := refuse_reservation(
      p_wallet, p_asset_in, p_asset_out, p_exposure_at_most, p_quiet_since,
      ARRAY[p_held_1, p_held_2, p_pending], ARRAY[-p_hold_1, -p_hold_2, 0]);
    IF v_refusal IS NOT NULL THEN
      RETURN v_refusal;
    END IF;
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
  v_transaction := nextval('ledger_transactions');
  INSERT INTO ledger_entries (transaction_id, line, at, wallet, order_id, account, asset, amount)
    SELECT v_transaction, e.line, p_at, p_wallet, p_id, e.account, e.asset, e.amount
      FROM (VALUES
        (1, 'wallet/free'::ledger_account, p_held_1, -p_hold_1), (2, 'wallet/reserved', p_held_1, p_hold_1),
        (3, 'wallet/free', p_held_2, -p_hold_2), (4, 'wallet/reserved', p_held_2, p_hold_2)
      ) AS e(line, account, asset, amount)
     WHERE e.asset IS NOT NULL;
  UPDATE balances SET
      free     = free     - CASE asset WHEN p_held_1 THEN p_hold_1 WHEN p_held_2 THEN p_hold_2 ELSE 0 END,
      reserved = reserved + CASE asset WHEN p_held_1 THEN p_hold_1 WHEN p_held_2 THEN p_hold_2 ELSE 0 END,
      incoming = incoming + CASE asset WHEN p_pending THEN p_incoming ELSE 0 END
    WHERE wallet = p_wallet AND asset IN (p_held_1, p_held_2, p_pending);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows < v_wanted THEN  -- first contact with the asset that is bought; what is held was there
    INSERT INTO balances VALUES (p_wallet, p_pending, 0, 0, p_incoming);
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
  p_held_1 text, p_hold_1 numeric, p_held_2 text, p_hold_2 numeric, p_pending text, p_incoming numeric,
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
    p_exposure_at_most, p_quiet_since, p_held_1, p_hold_1, p_held_2, p_hold_2, p_pending, p_incoming,
    p_states, p_events);
  IF v_verdict = 'reserved' THEN
    INSERT INTO approvals (order_id, swap, wallet, token, spender, amount, state, created_at, changed_at)
      VALUES (p_id, p_swap, p_wallet, p_token, p_spender, p_amount_in, 'requested', p_at, p_at);
  END IF;
  RETURN v_verdict;
END $$;
