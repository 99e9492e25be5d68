"""Puts the trader together and runs it. Opens every outside thing once, and closes what it opened."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

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
from trader.adapters.uniswap.erc20 import Erc20Approvals
from trader.adapters.uniswap.v2 import UniswapV2
from trader.adapters.uniswap.v3 import Route, UniswapV3
from trader.domain.assets import Asset
from trader.domain.errors import ConfigurationError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import Address, AssetId, StrategyName, WalletId, chain_of, erc20, native
from trader.domain.moves import Standing
from trader.engine.config import EngineConfig
from trader.engine.desk import Desk
from trader.engine.reconcile import Reconciler, open_books
from trader.engine.rotation.follow import Follower
from trader.engine.rotation.mover import Mover
from trader.engine.rotation.scopes import Scopes
from trader.engine.supervisor import Task, supervise
from trader.engine.trading import Book, Trading
from trader.engine.worker import Worker
from trader.ports.order_store import PortfolioLimits
from trader.ports.price_feed import Pair
from trader.ports.venue import Venue
from trader.settings import Settings, StrategySettings
from trader.strategy.momentum import MomentumRules

log: FilteringBoundLogger = structlog.get_logger("trader")

_RANDOM_BITS = 256
NATIVE_DECIMALS = 18
DUST_PER_TOKEN = 1_000
"""A rotation may leave less than a thousandth of a token behind; the signer judges with a finer measure."""
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
    wallet: WalletId
    """The account that traded when the office was opened: the configured one, or its newest successor."""

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
            log.info("trader.started", wallet=office.wallet, live=live, strategies=len(settings.strategies))
            graceful = await supervise(
                _tasks(office, feed, live=live),
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
        )
        standing = await store.standing(WalletId(settings.wallet))
        yield Office(
            settings=settings,
            desk=desk,
            store=store,
            node=node,
            signer=signer,
            keeper=keeper,
            wallet=standing.wallet,
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
    """Check the chain and open the wallet's books, once in their life."""
    await check_chain(office.node, chain_of(office.wallet))
    await office.store.describe_assets(described_assets(office.settings))
    await open_books(office.desk, office.wallet, office.assets)
    try:
        await office.signer.accounts()
    except (SignerUnavailableError, SignerNotReadyError) as error:
        # What is out in the world is confirmed without the signer; new orders wait for it.
        log.warning("signer.not_reached", why=str(error))


def described_assets(settings: Settings) -> Sequence[Asset]:
    """The native coin and every configured token, with how people write them."""
    chain = chain_of(WalletId(settings.wallet))
    tokens = [
        Asset(id=erc20(chain, Address(asset.address)), symbol=asset.symbol, decimals=asset.decimals)
        for asset in settings.assets
    ]
    return [Asset(id=native(chain), symbol="ETH", decimals=NATIVE_DECIMALS), *tokens]


def engine_config(settings: Settings) -> EngineConfig:
    """The engine's rules out of a file."""
    engine, assets = settings.engine, described_assets(settings)
    positions = zip(assets[1:], settings.assets, strict=True)
    return EngineConfig(
        lease_ms=engine.lease_ms,
        poll_ms=engine.poll_ms,
        retry_first_ms=engine.retry_first_ms,
        retry_most_ms=engine.retry_most_ms,
        quarantine_ms=engine.quarantine_ms,
        swap_deadline_s=engine.swap_deadline_s,
        stuck_after_ms=engine.stuck_after_ms,
        max_replacements=engine.max_replacements,
        confirmations=settings.chain.confirmations,
        max_fee_per_gas_wei=settings.fees.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=settings.fees.max_priority_fee_per_gas_wei,
        limits=PortfolioLimits(
            max_position={
                asset.id: limit.max_position for asset, limit in positions if limit.max_position is not None
            },
            cooldown_ms=engine.pair_cooldown_ms,
        ),
        symbols={asset.id: asset.symbol for asset in assets},
        dust={asset.id: 10**asset.decimals // DUST_PER_TOKEN for asset in assets[1:]},
    )


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


def _tasks(office: Office, feed: PoolPrices, *, live: bool) -> Mapping[str, Task]:
    rng = Random(secrets.randbits(_RANDOM_BITS))  # noqa: S311 - seeded by the system; ids, not secrets
    engine, me = office.settings.engine, f"{rng.getrandbits(64):016x}"
    tasks: dict[str, Task] = {
        f"worker-{number}": Worker(office.desk, f"{me}-{number}").run for number in range(engine.workers)
    }
    configured = WalletId(office.settings.wallet)
    tasks["secrets"] = office.keeper.run
    tasks["rotation"] = Follower(office.desk, configured, every_ms=engine.reconcile_every_ms).run
    tasks["wallet"] = Scopes(
        office.desk,
        configured,
        partial(_wallet_tasks, office, _strategies(office, feed, rng, live=live)),
        every_ms=engine.block_poll_ms,
        stop_within_ms=engine.stop_within_ms,
    ).run
    return tasks


def _wallet_tasks(
    office: Office, strategies: Mapping[str, Trading], standing: Standing
) -> Mapping[str, Task]:
    """What runs for one standing of the books: trading and comparing, or nothing but their move."""
    engine = office.settings.engine
    if standing.move is not None:
        return {
            "move": Mover(office.desk, standing.move, office.assets, every_ms=engine.block_poll_ms).run,
        }
    tasks: dict[str, Task] = {
        "reconcile": Reconciler(
            office.desk, standing.wallet, office.assets, every_ms=engine.reconcile_every_ms
        ).run
    }
    for name, trading in strategies.items():
        trading.move_to(standing.wallet)
        tasks[f"strategy-{name}"] = trading.run
    return tasks


def _strategies(office: Office, feed: PoolPrices, rng: Random, *, live: bool) -> Mapping[str, Trading]:
    """By name. They outlive a move of the books, with the prices and pauses that they remember."""
    every_ms = office.settings.engine.block_poll_ms
    return {
        strategy.name: Trading(
            office.desk, feed, _book(office, strategy), rng, live=live, block_poll_ms=every_ms
        )
        for strategy in office.settings.strategies
    }


def _book(office: Office, strategy: StrategySettings) -> Book:
    pair = _pair(office.settings, strategy)
    return Book(
        name=StrategyName(strategy.name),
        wallet=office.wallet,
        pair=pair,
        rules=MomentumRules(
            base=pair.base.id,
            quote=pair.quote.id,
            window=strategy.window,
            threshold_bps=strategy.threshold_bps,
            buy_amount=strategy.buy_amount,
            sell_amount=strategy.sell_amount,
            cooldown_ms=strategy.cooldown_ms,
        ),
        venue=strategy.venue,
        max_slippage_bps=strategy.max_slippage_bps,
        order_life_ms=strategy.order_life_ms,
    )


def _pair(settings: Settings, strategy: StrategySettings) -> Pair:
    by_symbol = {asset.symbol: asset for asset in described_assets(settings)[1:]}
    return Pair(base=by_symbol[strategy.base], quote=by_symbol[strategy.quote])


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
        pair = _pair(settings, strategy)
        base, quote = settings.asset(strategy.base), settings.asset(strategy.quote)
        tokens = (Address(base.address), Address(quote.address))
        yield (pair.base.id, pair.quote.id), (tokens, (strategy.v3_fee,))
        yield (pair.quote.id, pair.base.id), (tokens[::-1], (strategy.v3_fee,))


async def _pools(office: Office) -> Mapping[tuple[AssetId, AssetId], Pool]:
    pools: dict[tuple[AssetId, AssetId], Pool] = {}
    for strategy in office.settings.strategies:
        pair = _pair(office.settings, strategy)
        venues = office.settings.venues
        v3_fee = strategy.v3_fee if strategy.feed == "uniswap_v3" else None
        venue = venues.uniswap_v3 if strategy.feed == "uniswap_v3" else venues.uniswap_v2
        if venue is None:
            raise ConfigurationError(f"strategies: {strategy.name}: no contracts for feed {strategy.feed}")
        key = (pair.base.id, pair.quote.id)
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
