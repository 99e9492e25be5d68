"""Connections to PostgreSQL, where the driver's errors become the trader's. Never shows a password."""

import asyncio
import contextlib
import json
import operator
from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from trader.domain.errors import ConfigurationError, StoreUnavailableError

_ALLOWED = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE is allowed, or the embedded server"
_COMMAND_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10
_CLOSE_TIMEOUT_S = 5
_IDENTITY = "SELECT current_database() || '@' || system_identifier FROM pg_control_system()"
"""A server keeps its identifier for life, under any name, and hands it on to its replicas."""


class Database:
    """A pool of connections to one database.

    Every method raises StoreUnavailableError when PostgreSQL gives no answer. A statement outside of
    `transaction` is a transaction of its own.
    """

    def __init__(self, pool: asyncpg.Pool, place: str, identity: str) -> None:
        self._pool, self.place, self._identity = pool, place, identity

    async def use(self, dsn: str) -> None:
        """Connect with this DSN from now on: its password was changed. What runs now ends where it began.

        One that does not work yet, or leads to another database, changes nothing: StoreUnavailableError or
        ConfigurationError. Orders under way are in the database that they began in.
        """
        place = _place(dsn)
        with _connection_errors(place):
            connection = await asyncpg.connect(
                dsn, timeout=_CONNECT_TIMEOUT_S, command_timeout=_COMMAND_TIMEOUT_S
            )
            try:
                identity = await connection.fetchval(_IDENTITY)
            finally:
                await connection.close()
        if identity != self._identity:
            raise ConfigurationError(f"{place} is another database than ours; stop the trader to change it")
        self.place = place
        self._pool.set_connect_args(dsn, timeout=_CONNECT_TIMEOUT_S, command_timeout=_COMMAND_TIMEOUT_S)
        await self._pool.expire_connections()

    async def fetch(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """All rows of a statement."""
        with world_errors(self.place):
            return await self._pool.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """First row of a statement, or None."""
        with world_errors(self.place):
            return await self._pool.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> object:
        """First value of the first row, or None."""
        with world_errors(self.place):
            return await self._pool.fetchval(query, *arguments)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[PoolConnectionProxy]:
        """One connection inside one transaction, committed at the end of the block."""
        with world_errors(self.place):
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection


def with_login(parts: tuple[str, ...]) -> str:
    """The DSN that names nobody, the role and its password (in this order), as one DSN."""
    dsn, user, password = parts
    place = urlsplit(dsn)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(place._replace(netloc=f"{login}@{place.netloc}"))


@contextlib.asynccontextmanager
async def open_database(dsn: str, *, connections: int = 8) -> AsyncIterator[Database]:
    """Connect, and disconnect at the end.

    Raises ConfigurationError (the DSN, the role or the database is wrong) or StoreUnavailableError (nobody
    there), naming host, port and database.
    """
    place = _place(dsn)
    with world_errors(place):
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,  # a floor would be restored behind our back, with errors that nobody sees
            max_size=connections,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_COMMAND_TIMEOUT_S,
            init=_prepare,
            reset=_no_reset,
        )
    try:
        with _connection_errors(place):
            identity = str(await pool.fetchval(_IDENTITY))
        yield Database(pool, place, identity)
    finally:
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_TIMEOUT_S)
        except TimeoutError:
            pool.terminate()  # what is in flight is a transaction: PostgreSQL finishes or forgets it whole


@contextlib.contextmanager
def world_errors(place: str) -> Iterator[None]:
    """Turn the world's errors into StoreUnavailableError or ConfigurationError; ours pass through."""
    try:
        yield
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise ConfigurationError(f"{place} refuses us: {error}; {_ALLOWED}") from None
    except asyncpg.ClientConfigurationError:
        # The driver quotes the DSN, and the password in it.
        raise ConfigurationError(f"{place} cannot be reached with this DSN; {_ALLOWED}") from None
    except _WORLD as error:
        raise StoreUnavailableError(f"{place} gave no answer: {type(error).__name__}: {error}") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):  # an argument of ours does not fit its column
            raise
        raise StoreUnavailableError(f"{place} closed the connection: {error}") from error


@contextlib.contextmanager
def _connection_errors(place: str) -> Iterator[None]:
    """The same for a first connection: what stands behind `?` in a DSN goes to driver and server unread."""
    try:
        with world_errors(place):
            yield
    except (asyncpg.DataError, asyncpg.SyntaxOrAccessError, ValueError) as error:
        # They quote what they were given.
        raise ConfigurationError(
            f"{place} cannot be used with this DSN ({type(error).__name__}); {_ALLOWED}"
        ) from None


_WORLD = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # a replica that was not promoted yet
    asyncpg.TransactionRollbackError,  # deadlock, serialization: nothing was written
    asyncpg.InternalClientError,  # the driver's answer when the server hung up on an idle connection
)


async def _no_reset(_connection: asyncpg.Connection) -> None:
    """No statement of ours leaves session state behind: a round trip less on every return to the pool."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await _speak_integers(connection)
    # Every statement finds its rows by an index, whatever the values: planned once, not for each cool-down.
    await connection.execute("SET plan_cache_mode = force_generic_plan")


async def _speak_integers(connection: asyncpg.Connection) -> None:
    """Money has one type: int in, int out. A fraction in a NUMERIC column raises instead of being rounded."""
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=_digits, decoder=int, format="text"
    )
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_json, decoder=json.loads, format="text"
    )


def _digits(amount: int) -> str:
    return str(operator.index(amount))


_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _place(dsn: str) -> str:
    """Where a DSN points to, for people. Raises ConfigurationError when it points nowhere."""
    try:
        parts = urlsplit(dsn)
        socket = parse_qs(parts.query).get("host", [""])[0]
        host, port = parts.hostname or socket, parts.port or 5432
    except ValueError:
        raise ConfigurationError(f"the PostgreSQL DSN cannot be parsed; {_ALLOWED}") from None
    if "@" in parts.path:  # a password with a slash in it, which would be shown as a part of the database
        raise ConfigurationError(f"the PostgreSQL DSN needs %2F for a slash in its password; {_ALLOWED}")
    if parts.scheme not in {"postgresql", "postgres"} or not host:
        raise ConfigurationError(f"the PostgreSQL DSN names no PostgreSQL host; {_ALLOWED}")
    return f"PostgreSQL at host {host}, port {port}, database {parts.path.lstrip('/') or 'of the role'}"
