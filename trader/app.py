"""Puts the trader together and runs it. Opens every outside thing once, and closes what it opened."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
from structlog.typing import FilteringBoundLogger

from trader.adapters.evm_rpc.node import EvmNode, check_chain, evm_node
from trader.adapters.feeds.pool_prices import Pool, PoolPrices, find_pool
from trader.adapters.postgres.embedded import embedded_server
from trader.adapters.postgres.migrate import migrate
from trader.adapters.postgres.order_store import PostgresOrderStore
from trader.adapters.postgres.pool import open_database, with_login
from trader.adapters.secrets.keeper import LOOK_EVERY_MS, Composed, Keeper, Text
from trader.adapters.secrets.resolver import Resolver, own_certificate, vault_secrets
from trader.adapters.signer_client.channel import SignerTarget, TlsFiles
from trader.adapters.signer_client.client import SignerClient, signer_client
from trader.adapters.system_clock import SystemClock
from trader.adapters.uniswap.erc20 import Erc20Approvals, OwnTransfers
from trader.adapters.uniswap.v2 import UniswapV2
from trader.adapters.uniswap.v3 import Route, UniswapV3
from trader.domain.errors import ConfigurationError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import Address, AssetId, WalletId, chain_of
from trader.engine.desk import Desk
from trader.engine.reconcile import open_books
from trader.engine.supervisor import supervise
from trader.plan import described_assets, engine_config, groups, pair
from trader.ports.venue import Venue
from trader.settings import Settings
from trader.tasks import Crew

log: FilteringBoundLogger = structlog.get_logger("trader")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """An opened trader: the desk, and the same things with all of their own methods."""

    settings: Settings
    desk: Desk
    store: PostgresOrderStore
    node: EvmNode
    signer: SignerClient
    keeper: Keeper
    wallets: tuple[WalletId, ...]
    """The accounts that traded when it was opened: the configured ones, or their newest successors."""

    @property
    def wallet(self) -> WalletId:
        """The first of them."""
        return self.wallets[0]

    @property
    def assets(self) -> Sequence[AssetId]:
        """The native coin and every configured token."""
        return [asset.id for asset in described_assets(self.settings)]


async def run(settings: Settings, *, live: bool, stop: asyncio.Event | None = None) -> bool:
    """Trade until SIGTERM or SIGINT (or `stop`); True when everything ended within its time.

    Without `live` every order ends at the signer's verdict and nothing is signed. Raises ConfigurationError,
    StoreUnavailableError or ChainUnavailableError when the trader cannot even start.
    """
    stop = asyncio.Event() if stop is None else stop
    async with open_office(settings) as office:
        await prepare(office)
        feed = PoolPrices(office.node, await _pools(office))
        with _stopped_by_signals(stop):
            log.info("trader.started", wallets=office.wallets, live=live, strategies=len(settings.strategies))
            crew = Crew(
                desk=office.desk,
                settings=settings,
                assets=office.assets,
                feed=feed,
                transfers=OwnTransfers(),
                keep_secrets=office.keeper.run,
            )
            graceful = await supervise(
                crew.tasks(live=live),
                stop,
                office.desk.clock,
                stop_within_ms=settings.engine.stop_within_ms,
            )
    log.info("trader.stopped", graceful=graceful)
    return graceful


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Everything opened, nothing started."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        keeper = await stack.enter_async_context(open_secrets(settings))
        store = await stack.enter_async_context(open_store(settings, keeper))
        url = await keeper.value(settings.chain.rpc_url)
        node = await stack.enter_async_context(
            evm_node(url, clock, timeout_ms=settings.chain.request_timeout_ms)
        )
        await keeper.watch("chain.rpc_url", settings.chain.rpc_url, node.use)
        await keeper.renew_certificate()
        signer = await stack.enter_async_context(
            signer_client(signer_target(settings), deadline_ms=settings.signer.deadline_ms)
        )
        desk = Desk(
            store=store,
            chain=node,
            signer=signer,
            clock=clock,
            venues=_venues(settings, node, clock),
            approvals=Erc20Approvals(settings.venues.approval_gas_limit),
            config=engine_config(settings),
            groups=groups(settings),
        )
        stack.push_async_callback(desk.asking.close)
        standings = [await store.standing(wallet) for wallet in settings.accounts]
        yield Office(
            settings=settings,
            desk=desk,
            store=store,
            node=node,
            signer=signer,
            keeper=keeper,
            wallets=tuple(standing.wallet for standing in standings),
        )


@asynccontextmanager
async def open_store(settings: Settings, supplied: Keeper | None = None) -> AsyncIterator[PostgresOrderStore]:
    """The database alone, its schema brought up to date."""
    async with AsyncExitStack() as stack:
        keeper = supplied if supplied is not None else await stack.enter_async_context(open_secrets(settings))
        configured = _dsn(settings)
        if settings.database.embedded is not None:
            dsn = await stack.enter_async_context(embedded_server(settings.database.embedded))
        else:
            dsn = await keeper.value(configured)
        database = await stack.enter_async_context(
            open_database(dsn, connections=settings.database.connections)
        )
        await keeper.watch("database.dsn", configured, database.use)
        await migrate(database)
        yield PostgresOrderStore(database)


def _dsn(settings: Settings) -> Text:
    dsn, login = settings.database.dsn or "", settings.database.login
    return dsn if login is None else Composed((dsn, login.user, login.password), with_login)


@asynccontextmanager
async def open_secrets(settings: Settings) -> AsyncIterator[Keeper]:
    """Where references to secrets are looked up."""
    clock = SystemClock()
    vault = None if settings.vault is None else vault_secrets(settings.vault, clock)
    certificate = None if vault is None else own_certificate(settings, vault, clock)
    async with Resolver(vault) as resolver:
        look_every_ms = LOOK_EVERY_MS if settings.vault is None else settings.vault.read_every_ms
        yield Keeper(resolver, certificate, vault, look_every_ms=look_every_ms)


async def prepare(office: Office) -> None:
    """Check the chain and open the books of each wallet, once in their life."""
    await check_chain(office.node, chain_of(office.wallet))
    await office.store.describe_assets(described_assets(office.settings))
    for wallet in office.wallets:
        await open_books(office.desk, wallet, office.assets)
    for group in office.desk.groups.values():
        await office.store.group_wallets(group.name, group.wallets)
    try:
        office.desk.people.learn(await office.signer.accounts())
    except (SignerUnavailableError, SignerNotReadyError) as error:
        # What is out in the world is confirmed without the signer; new orders wait for it.
        log.warning("signer.not_reached", why=str(error))


def signer_target(settings: Settings) -> SignerTarget:
    """Where the signer is, and how to prove who we are."""
    signer = settings.signer
    tls = None
    if signer.ca_file is not None and signer.cert_file is not None and signer.key_file is not None:
        tls = TlsFiles(authority=signer.ca_file, certificate=signer.cert_file, key=signer.key_file)
    return SignerTarget(
        address=signer.target,
        tls=tls,
        server_name=signer.server_name,
        plaintext_on_unix_socket=signer.unsafe_plaintext_on_unix_socket,
    )


def _venues(settings: Settings, node: EvmNode, clock: SystemClock) -> Mapping[str, Venue]:
    venues: list[Venue] = []
    if (v2 := settings.venues.uniswap_v2) is not None:
        venues.append(UniswapV2(node, clock, router=Address(v2.router), gas_limit=v2.gas_limit))
    if (v3 := settings.venues.uniswap_v3) is not None:
        venues.append(
            UniswapV3(
                node,
                clock,
                router=Address(v3.router),
                quoter=Address(v3.quoter),
                routes=dict(_routes(settings)),
                gas_limit=v3.gas_limit,
            )
        )
    return {venue.name: venue for venue in venues}


def _routes(settings: Settings) -> Iterator[tuple[tuple[AssetId, AssetId], Route]]:
    """The strategies' pairs, in both directions."""
    for strategy in settings.strategies:
        if strategy.v3_fee is None:
            continue
        traded = pair(settings, strategy)
        base, quote = settings.asset(strategy.base), settings.asset(strategy.quote)
        tokens = (Address(base.address), Address(quote.address))
        yield (traded.base.id, traded.quote.id), (tokens, (strategy.v3_fee,))
        yield (traded.quote.id, traded.base.id), (tokens[::-1], (strategy.v3_fee,))


async def _pools(office: Office) -> Mapping[tuple[AssetId, AssetId], Pool]:
    pools: dict[tuple[AssetId, AssetId], Pool] = {}
    for strategy in office.settings.strategies:
        traded = pair(office.settings, strategy)
        venues = office.settings.venues
        v3_fee = strategy.v3_fee if strategy.feed == "uniswap_v3" else None
        venue = venues.uniswap_v3 if strategy.feed == "uniswap_v3" else venues.uniswap_v2
        if venue is None:
            raise ConfigurationError(f"strategies: {strategy.name}: no contracts for feed {strategy.feed}")
        key = (traded.base.id, traded.quote.id)
        pools[key] = await find_pool(office.node, Address(venue.factory), key, v3_fee)
    return pools


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
