"""`OrderStore` on PostgreSQL: every method is one transaction. Refuses a write without a living claim."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from trader.adapters.postgres.approvals import Approvals
from trader.adapters.postgres.creation import Creation
from trader.adapters.postgres.groups import Groups
from trader.adapters.postgres.leases import Leases
from trader.adapters.postgres.migrate import migrate
from trader.adapters.postgres.moves import Moves
from trader.adapters.postgres.pool import open_database
from trader.adapters.postgres.reports import Reports
from trader.adapters.postgres.rows import ORDER, order_of
from trader.adapters.postgres.top_ups import TopUps
from trader.adapters.postgres.transitions import Transitions
from trader.adapters.postgres.wallets import Wallets
from trader.domain.ids import OrderId
from trader.domain.orders import Order, OrderState


class PostgresOrderStore(Creation, Leases, Groups, TopUps, Transitions, Approvals, Wallets, Moves, Reports):
    """The port `OrderStore`, a file for each part; what is left here are the reads of orders."""

    async def get(self, order: OrderId) -> Order | None:
        """Order by id."""
        row = await self._database.fetchrow(_ONE, order)
        return None if row is None else order_of(row)

    async def orders(self, *, open_only: bool, limit: int) -> Sequence[Order]:
        """Orders, newest first."""
        return tuple(order_of(row) for row in await self._database.fetch(_MANY, open_only, limit))

    async def states(self) -> Mapping[OrderState, int]:
        """How many orders stand where; a state without orders is left out."""
        rows = await self._database.fetch("SELECT state, count(*) AS orders FROM orders GROUP BY state")
        return {OrderState(row["state"]): int(row["orders"]) for row in rows}


@contextlib.asynccontextmanager
async def open_order_store(dsn: str, *, connections: int = 8) -> AsyncIterator[PostgresOrderStore]:
    """Connect, bring the schema up to date, and disconnect at the end.

    Raises ConfigurationError or StoreUnavailableError, see pool.py and migrate.py.
    """
    async with open_database(dsn, connections=connections) as database:
        await migrate(database)
        yield PostgresOrderStore(database)


_ONE = f"SELECT {ORDER} FROM orders WHERE id = $1"  # noqa: S608  column names of our own
_MANY = f"""
SELECT {ORDER} FROM orders WHERE NOT $1 OR closed_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608  column names of our own
