"""An account in Vault is rotated under load; both programs are killed at each new persisted state seen.

Nothing is lost, no allowance stays, the retired account signs nothing. The figures are printed at the end of
the run, in a line that begins with ACCOUNT_ROTATION.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from tests.e2e.asking import refusal, swap
from tests.e2e.books import Books, open_books
from tests.e2e.killer import Killer, signer_steps, trader_steps
from tests.e2e.scene import FUNDS_USDX, Scene, Stage, command_line
from tests.fakes import wire
from tests.testbed.faults import Delay
from tests.testbed.figures import Figures
from tests.testbed.packages import Json
from tests.testbed.parts import require
from tests.testbed.processes import until
from tests.testbed.signer_program import PROGRAM as SIGNER
from tests.testbed.signer_program import serving
from tests.testbed.vault_desk import ROTATOR, VaultDesk
from trader.domain.ids import WalletId, address_of, chain_of, erc20, native, parse_address
from trader.domain.orders import Order, OrderKind, OrderState

SYMBOLS = ("USDX", "ABC", "WETH")
FINISHED, UNREACHABLE, UNFINISHED = 0, 4, 5
_DUST_WEI = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Both programs under way on a Vault."""

    scene: Scene
    desk: VaultDesk
    books: Books
    signer: Killer
    trader: Killer

    async def successor(self) -> WalletId:
        """`vault create-account --successor-of`: asked twice, made once."""
        command = ("vault", "create-account", "--successor-of", self.books.wallet, "--json")
        made = [json.loads((await self.desk.as_role(ROTATOR, *command)).output)["account"] for _ in range(2)]
        assert made[0] == made[1]
        return WalletId(made[0])

    async def rotate(self, step: str, *more: str) -> None:
        """`rotate account STEP`, again while the signer is being killed or says that it is too early."""
        files = self.scene.signer
        where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(files.pki), "--json")
        command = (SIGNER, "rotate", "account", step, *where, "--account", self.books.wallet, *more)

        async def done() -> bool:
            ended = await command_line(*command)
            assert ended.code in {FINISHED, UNREACHABLE, UNFINISHED}, ended
            return ended.code == FINISHED

        await until(done, what=f"rotate account {step}", timeout_s=120, every_s=0.2)


async def test_both_programs_are_killed_again_and_again_in_a_rotation_and_nothing_is_lost(
    stage: Stage, tmp_path: Path, figures: Figures
) -> None:
    async with _play(stage, tmp_path) as play:
        books, files = play.books, play.scene.signer
        old, new = books.wallet, await play.successor()
        # SIGNED and not broadcast is a step, too; let it last for long enough to be seen.
        play.scene.bed.signer_proxy.fault("eth_sendRawTransaction", Delay(0.1), times=None)
        async with play.scene.tide():
            await books.until_settled(1)
            async with play.signer.at_work(), play.trader.at_work():
                await play.rotate("begin", "--new-account", new)
                await until(partial(_stands_at, books, new), what="the books move", timeout_s=120)
                await play.rotate("finish")
                await until(partial(_traded, books, new), what="the successor trades", timeout_s=120)
        await books.until_closed()
        await books.until_final()
        retired = await refusal(files, swap(files, "asked-when-retired"))

        told: dict[str, Json] = {
            "signer_killed_at": [*play.signer.steps],
            "trader_killed_at": [*play.trader.steps],
            "settled": len(await _swaps(books)),
            "drift": {"old": len(await _drift(books, old)), "new": len(await _drift(books, new))},
            "approvals_left": await _approvals(books, old),
            "left_wei": await books.scene.bed.balance(address_of(old), "ETH"),
        }
        figures("ACCOUNT_ROTATION", "both_killed", told)
        assert await _lost(books, old, new) == {}
        assert (await _drift(books, old), await _drift(books, new)) == ({}, {})
        assert told["approvals_left"] == 0
        assert [await books.scene.bed.balance(address_of(old), symbol) for symbol in SYMBOLS] == [0, 0, 0]
        assert await books.scene.bed.balance(address_of(old), "ETH") < _DUST_WEI
        assert wire.reasons(retired) == ["ACCOUNT_RETIRED"]
        assert {"account old draining", "account old retired", "rotation finished"} <= _single(
            play.signer.steps
        )
        assert {"draining True", "move booked"} <= _single(play.trader.steps)


@asynccontextmanager
async def _play(stage: Stage, folder: Path) -> AsyncIterator[Play]:
    require("vault")
    async with (
        Scene.open(stage, folder) as scene,
        VaultDesk.open(folder / "desk") as desk,
        open_books(scene) as books,
    ):
        await desk.take_over(scene.signer)
        await scene.fund()
        files = scene.trader()
        async with scene.serve() as signer, scene.trade(files) as trader:
            watching = await asyncpg.connect(scene.bed.dsn)

            async def start_signer() -> None:
                await desk.deliver(scene.signer)  # a login of its own for every life
                signer.start()
                await serving(scene.signer, signer)

            async def start_trader() -> None:
                starts = trader.log().count("trader.started")
                trader.start()
                while trader.log().count("trader.started") == starts:
                    assert trader.returncode is None, trader.log()[-2_000:]
                    await asyncio.sleep(0.02)

            yield Play(
                scene=scene,
                desk=desk,
                books=books,
                signer=Killer(signer, partial(signer_steps, scene.signer), start_signer),
                trader=Killer(trader, partial(trader_steps, watching, books.wallet), start_trader),
            )
            await watching.close()


async def _stands_at(books: Books, wallet: WalletId) -> bool:
    standing = await books.store.standing(books.wallet)
    return standing.wallet == wallet and standing.move is None


async def _swaps(books: Books) -> list[Order]:
    return list(await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP))


async def _traded(books: Books, wallet: WalletId) -> bool:
    return any(order.wallet == wallet for order in await _swaps(books))


async def _lost(books: Books, old: WalletId, new: WalletId) -> dict[str, int]:
    """What both wallets together have less (or more) of a token than was given and swapped."""
    gaps: dict[str, int] = {}
    for symbol in SYMBOLS:
        asset = erc20(chain_of(old), parse_address(books.scene.bed.world.token(symbol)))
        expected = FUNDS_USDX if symbol == "USDX" else 0
        for order in await _swaps(books):
            expected += (order.amount_received or 0) if order.asset_out == asset else 0
            expected -= (order.amount_spent or 0) if order.asset_in == asset else 0
        there = sum([await books.scene.bed.balance(address_of(wallet), symbol) for wallet in (old, new)])
        gaps |= {symbol: there - expected} if there != expected else {}
    return gaps


async def _drift(books: Books, wallet: WalletId) -> dict[str, int]:
    """To the wei: what the chain has and the books have not."""
    bed, chain, owner = books.scene.bed, chain_of(wallet), address_of(wallet)
    booked = await books.store.close_books(wallet)
    there = {native(chain): await bed.balance(owner, "ETH")}
    for symbol in SYMBOLS:
        there[erc20(chain, parse_address(bed.world.token(symbol)))] = await bed.balance(owner, symbol)
    return {
        asset: amount - booked.get(asset, 0)
        for asset, amount in there.items()
        if amount != booked.get(asset, 0)
    }


async def _approvals(books: Books, wallet: WalletId) -> int:
    """Allowances that are not zero."""
    bed, owner = books.scene.bed, address_of(wallet)
    routers = (bed.world.v2_router, bed.world.swap_router)
    found = [
        await bed.anvil.uint(bed.world.token(symbol), "allowance(address,address)", owner, router)
        for symbol in SYMBOLS
        for router in routers
    ]
    return sum(amount > 0 for amount in found)


def _single(steps: list[str]) -> set[str]:
    return {step for together in steps for step in together.split("+")}
