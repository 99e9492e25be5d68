import asyncpg
import pytest

from tests.fakes.books import open_books, order_at, rows
from tests.fakes.trade import NOW, WALLET, WRAPPED
from trader.adapters.postgres.reports import BooksOpenError
from trader.domain.orders import CLOSED_STATES, OrderState


@pytest.mark.parametrize("table", ["order_events", "ledger_entries"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET at = 0", "DELETE FROM {}", "TRUNCATE {}"])
async def test_history_cannot_be_rewritten(postgres_dsn: str, table: str, verb: str) -> None:
    async with open_books(postgres_dsn) as store:
        await order_at(store, OrderState.RESERVED)

        with pytest.raises(asyncpg.RestrictViolationError, match=f"{table} is append-only"):
            await rows(postgres_dsn, verb.format(table))


async def test_an_entry_without_its_counterpart_is_refused(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is off by 5"):
            await rows(
                postgres_dsn,
                "INSERT INTO ledger_entries VALUES (99, 1, 0, $1, NULL, 'wallet/free', $2, 5)",
                WALLET,
                WRAPPED,
            )


async def test_an_account_outside_of_the_chart_is_refused(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn):
        with pytest.raises(asyncpg.InvalidTextRepresentationError, match="wallet/hidden"):
            await rows(
                postgres_dsn,
                "INSERT INTO ledger_entries VALUES (99, 1, 0, $1, NULL, 'wallet/hidden', $2, 5)",
                WALLET,
                WRAPPED,
            )


async def test_a_clearing_entry_without_its_order_is_refused(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn):
        with pytest.raises(asyncpg.CheckViolationError):
            await rows(
                postgres_dsn,
                "INSERT INTO ledger_entries VALUES (99, 1, 0, $1, NULL, 'trading', $2, 5)",
                WALLET,
                WRAPPED,
            )


async def test_a_balance_that_moved_without_an_entry_is_found(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn) as store:
        await store.close_books(WALLET)
        await rows(postgres_dsn, "UPDATE balances SET free = free + 1 WHERE asset = $1", WRAPPED)

        with pytest.raises(BooksOpenError, match=WRAPPED):
            await store.close_books(WALLET)


async def test_a_reservation_that_no_open_order_holds_is_found(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn) as store:
        await order_at(store, OrderState.RESERVED)
        await rows(
            postgres_dsn,
            "UPDATE orders SET state = 'expired', closed_at = 0, lease_owner = NULL, lease_until = NULL",
        )

        with pytest.raises(BooksOpenError, match=WRAPPED):
            await store.close_books(WALLET)


@pytest.mark.parametrize("column", ["free", "reserved", "incoming"])
async def test_no_balance_goes_below_zero(postgres_dsn: str, column: str) -> None:
    async with open_books(postgres_dsn):
        with pytest.raises(asyncpg.CheckViolationError):
            await rows(postgres_dsn, f"UPDATE balances SET {column} = -1")  # noqa: S608  a column of ours


@pytest.mark.parametrize("state", OrderState)
async def test_the_database_agrees_on_which_states_are_closed(postgres_dsn: str, state: OrderState) -> None:
    async with open_books(postgres_dsn) as store:
        await order_at(store, OrderState.INTENT)
        query = "UPDATE orders SET state = $1, closed_at = $2, lease_owner = NULL, lease_until = NULL"
        right, wrong = (NOW, None) if state in CLOSED_STATES else (None, NOW)

        with pytest.raises(asyncpg.CheckViolationError):
            await rows(postgres_dsn, query, state, wrong)
        await rows(postgres_dsn, query, state, right)


async def test_no_column_is_made_for_signed_bytes_or_secrets(postgres_dsn: str) -> None:
    async with open_books(postgres_dsn):
        columns = await rows(
            postgres_dsn,
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'",
        )

    forbidden = {"raw", "signature", "private", "secret", "password"}
    assert columns
    for column in columns:
        assert column["data_type"] != "bytea"
        assert not forbidden & set(column["column_name"].split("_"))
