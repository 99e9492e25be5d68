-- What no program may do to the books, whoever it is: rewrite history, or post an entry without its counterpart.

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Every statement that posts must balance by itself, per transaction and asset. That is stricter than a deferred
-- check at commit, and costs one call for all lines instead of one per line.
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  IF EXISTS (SELECT FROM posted GROUP BY transaction_id, asset HAVING sum(amount) <> 0) THEN
    SELECT transaction_id, asset, sum(amount) AS off INTO wrong
      FROM posted GROUP BY transaction_id, asset HAVING sum(amount) <> 0 LIMIT 1;
    RAISE EXCEPTION 'ledger transaction % is off by % of %', wrong.transaction_id, wrong.off, wrong.asset
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER balanced AFTER INSERT ON ledger_entries
  REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();
