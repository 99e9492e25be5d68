"""The wallet's balances on the chain, next to the books: opening them, and watching that they stay equal.

Refuses to compare while a transaction of the wallet is under way, and to act on a single look.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from structlog.typing import FilteringBoundLogger

from trader.domain.errors import ChainUnavailableError, SignerNotReadyError, SignerUnavailableError
from trader.domain.ids import AssetId, WalletId, address_of, chain_of, native, token_of
from trader.domain.moves import Standing
from trader.domain.orders import OrderState
from trader.engine.desk import Desk
from trader.engine.finality import final_block_number
from trader.engine.rotation.follow import begin
from trader.engine.rotation.intent import aim_of, returned_to
from trader.engine.supervisor import pause

log: FilteringBoundLogger = structlog.get_logger("trader.books")

_UNDER_WAY = frozenset(
    {
        OrderState.SIGN_REQUESTED,
        OrderState.SIGNED,
        OrderState.BROADCAST,
        OrderState.MINED,
        OrderState.UNKNOWN,
    }
)
"""States in which the chain may already know what the books do not."""

DRIFTED = "books and chain differ"
"""How a halt of ours begins."""

_MOST_OPEN_ORDERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Chain minus books at one block, base units; only assets that differ."""

    block_number: int
    by_asset: Mapping[AssetId, int]


async def open_books(desk: Desk, wallet: WalletId, assets: Sequence[AssetId]) -> bool:
    """Book the chain's balances as the wallet's opening entries; False when it was opened before."""
    head = await desk.chain.head()
    balances = await chain_balances(desk, wallet, assets, head.number)
    opened = await desk.store.open_wallet(wallet, balances, head.number, desk.clock.now())
    if opened:
        log.info("wallet.opened", wallet=wallet, block=head.number, balances=dict(balances))
    return opened


async def compare_books(desk: Desk, wallet: WalletId, assets: Sequence[AssetId]) -> Drift | None:
    """Difference at the newest block; None when orders are under way, or moved while we looked."""
    if await under_way(desk, wallet):
        return None
    before = await _booked(desk, wallet)
    head = await desk.chain.head()
    on_chain = await chain_balances(desk, wallet, assets, head.number)
    if await under_way(desk, wallet) or await _booked(desk, wallet) != before:
        return None
    differences = {asset: amount - before.get(asset, 0) for asset, amount in on_chain.items()}
    return Drift(
        block_number=head.number, by_asset={asset: gap for asset, gap in differences.items() if gap != 0}
    )


async def chain_balances(
    desk: Desk, wallet: WalletId, assets: Sequence[AssetId], block_number: int
) -> Mapping[AssetId, int]:
    """Base units of the native coin and of each token after one block."""
    address = address_of(wallet)
    coin = native(chain_of(wallet))
    tokens = [asset for asset in assets if asset != coin]
    amounts = await asyncio.gather(
        desk.chain.native_balance(address, block_number),
        *(desk.chain.token_balance(token_of(asset), address, block_number) for asset in tokens),
    )
    return dict(zip([coin, *tokens], amounts, strict=True))


class Reconciler:
    """Compares again and again; halts the wallet when two looks in a row see the same drift."""

    def __init__(self, desk: Desk, wallet: WalletId, assets: Sequence[AssetId], *, every_ms: int) -> None:
        self._desk, self._wallet, self._assets, self._every_ms = desk, wallet, assets, every_ms

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        last: Mapping[AssetId, int] = {}
        while not stop.is_set():
            try:
                last = await self.look(last)
            except ChainUnavailableError as error:
                log.warning("books.not_compared", wallet=self._wallet, why=str(error))
            await pause(stop, self._every_ms)

    async def look(self, last: Mapping[AssetId, int]) -> Mapping[AssetId, int]:
        """Compare once with `last`, the drift that the look before saw. Returns what to compare with next."""
        drift = await compare_books(self._desk, self._wallet, self._assets)
        if drift is None:
            return last
        if not drift.by_asset:
            final = min(await final_block_number(self._desk), drift.block_number)
            await self._desk.store.books_agreed(self._wallet, final)
        elif drift.by_asset == last and not await self._rotated():
            reason = f"{DRIFTED} at block {drift.block_number}: {_words(self._desk, drift)}"
            log.error("wallet.halted", wallet=self._wallet, why=reason)
            await self._desk.store.halt_wallet(self._wallet, reason, self._desk.clock.now())
        return drift.by_asset

    async def _rotated(self) -> bool:
        """The difference may be a rotation that nobody told us yet: then its move accounts for it."""
        store = self._desk.store
        try:
            accounts = await self._desk.signer.accounts()
        except (SignerUnavailableError, SignerNotReadyError):
            return False
        known = await store.predecessors(self._wallet)
        aim = aim_of(Standing(wallet=self._wallet), accounts) or returned_to(self._wallet, accounts, known)
        if aim is None:
            return False
        await begin(self._desk, self._wallet, aim)
        return True


async def under_way(desk: Desk, wallet: WalletId) -> bool:
    """Whether the chain may know more about orders out of the wallet, or into it, than the books do."""
    orders = await desk.store.orders(open_only=True, limit=_MOST_OPEN_ORDERS)
    return any(wallet in (order.wallet, order.recipient) and order.state in _UNDER_WAY for order in orders)


async def _booked(desk: Desk, wallet: WalletId) -> Mapping[AssetId, int]:
    return {balance.asset: balance.free + balance.reserved for balance in await desk.store.balances(wallet)}


def _words(desk: Desk, drift: Drift) -> str:
    symbols = desk.config.symbols
    return ", ".join(
        f"{symbols.get(asset, asset)} {gap:+d} base units" for asset, gap in drift.by_asset.items()
    )
