"""An account is rotated while both programs trade: the signer sweeps, the trader follows, the books close."""

import asyncio
import json
from functools import partial
from pathlib import Path

from tests.e2e.books import Books, open_books
from tests.e2e.scene import Scene, Stage, command_line
from tests.testbed.accounts import dev_account
from tests.testbed.processes import until
from tests.testbed.signer_program import PROGRAM as SIGNER
from trader.domain.ids import WalletId, address_of, chain_of, erc20, native, parse_address
from trader.domain.orders import Order, OrderKind, OrderState

SUCCESSOR = 2
_SYMBOLS = ("USDX", "ABC", "WETH")


async def test_a_rotation_under_load_is_followed_without_a_restart(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        old, new = books.wallet, _successor(books)
        await scene.fund()
        files = scene.trader()
        async with scene.trade(files) as trader:
            async with scene.tide():
                await books.until_settled(1)
                await _rotate(scene, "begin", old, "--new-account", new)
                await until(partial(_stands_at, books, new), what="the books move", timeout_s=120)
                await _rotate(scene, "finish", old)
                await until(partial(_traded, books, new), what="the successor trades", timeout_s=120)
            await books.until_closed()
            code = await trader.stop()
        status = await asyncio.to_thread(files.ask, "status")

        assert code == 0
        assert await _drift(books, old) == await _drift(books, new) == {}
        assert [row["role"] for row in status["wallet"]] == ["trades", "predecessor"]
        assert status["halted"] == []
        assert {row["left"] for row in status["moves"] if row["asset"] in _SYMBOLS} == {
            "0.000000",
            "0.000000000000000000",
        }


async def test_an_abort_brings_the_books_home(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        old, new = books.wallet, _successor(books)
        await scene.fund()
        async with scene.trade(scene.trader()) as trader:
            async with scene.tide():
                await books.until_settled(1)
                await _rotate(scene, "begin", old, "--new-account", new)
                await until(partial(_swept_to, books, new), what="something is swept", timeout_s=120)
                await _rotate(scene, "abort", old)
                before = len(await _settled(books, old))
                await until(partial(_moved, books, old), what="the books come home", timeout_s=120)
                await until(partial(_traded, books, old, before), what="the first one trades", timeout_s=120)
            await books.until_closed()
            code = await trader.stop()

        assert code == 0
        assert (await books.store.standing(old)).wallet == old
        assert await _drift(books, old) == await _drift(books, new) == {}


async def test_both_programs_are_killed_in_an_emergency_and_nothing_is_lost(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene, open_books(scene) as books:
        old, new = books.wallet, _successor(books)
        files = scene.trader()
        async with scene.serve() as signer:
            await scene.fund()
            async with scene.trade(files) as trader, scene.tide():
                await books.until_settled(1)
                await _rotate(scene, "begin", old, "--new-account", new, "--emergency")
                await until(partial(_swept_to, books, new), what="something is swept", timeout_s=120)
                signer.kill()
                trader.kill()
        async with scene.serve(), scene.trade(files) as trader:
            async with scene.tide():
                await until(partial(_stands_at, books, new), what="the books move", timeout_s=120)
                await until(partial(_traded, books, new), what="the successor trades", timeout_s=120)
            await books.until_closed()
            code = await trader.stop()

        assert code == 0
        assert await _drift(books, old) == await _drift(books, new) == {}


async def _rotate(scene: Scene, step: str, account: WalletId, *more: str) -> dict[str, object]:
    files = scene.signer
    where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(files.pki), "--json")
    ended = await command_line(SIGNER, "rotate", "account", step, *where, "--account", account, *more)
    assert ended.code == 0, (ended.out, ended.err)
    answer: dict[str, object] = json.loads(ended.out)
    return answer


async def _stands_at(books: Books, wallet: WalletId) -> bool:
    standing = await books.store.standing(books.wallet)
    return standing.wallet == wallet and standing.move is None


def _successor(books: Books) -> WalletId:
    return WalletId(f"{chain_of(books.wallet)}:{dev_account(SUCCESSOR).address}")


async def _swept_to(books: Books, wallet: WalletId) -> bool:
    """The dearest goes first in an emergency, tokens in the order of the policy otherwise."""
    balances = [await books.scene.bed.balance(address_of(wallet), symbol) for symbol in _SYMBOLS]
    return any(balances)


async def _moved(books: Books, wallet: WalletId) -> bool:
    records = await books.store.moves(wallet)
    return bool(records) and records[0].booked_at is not None and await _stands_at(books, wallet)


async def _settled(books: Books, wallet: WalletId) -> list[Order]:
    settled = await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP)
    return [order for order in settled if order.wallet == wallet]


async def _traded(books: Books, wallet: WalletId, more_than: int = 0) -> bool:
    return len(await _settled(books, wallet)) > more_than


async def _drift(books: Books, wallet: WalletId) -> dict[str, int]:
    bed, chain, owner = books.scene.bed, chain_of(wallet), address_of(wallet)
    booked = await books.store.close_books(wallet)
    on_chain = {native(chain): await bed.balance(owner, "ETH")}
    for symbol in _SYMBOLS:
        on_chain[erc20(chain, parse_address(bed.world.token(symbol)))] = await bed.balance(owner, symbol)
    gaps = {asset: amount - booked.get(asset, 0) for asset, amount in on_chain.items()}
    return {asset: gap for asset, gap in gaps.items() if gap}
