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
from trader.domain.orders import OrderKind, OrderState

SUCCESSOR = 2
_SYMBOLS = ("USDX", "ABC", "WETH")


async def test_a_rotation_under_load_is_followed_without_a_restart(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve(), open_books(scene) as books:
        old = books.wallet
        new = WalletId(f"{chain_of(old)}:{dev_account(SUCCESSOR).address}")
        await scene.fund()
        files = scene.trader()
        async with scene.trade(files) as trader:
            async with scene.tide():
                await books.until_settled(1)
                await _rotate(scene, "begin", old, "--new-account", new)
                await until(partial(_stands_at, books, new), what="the books move", timeout_s=90, every_s=0.2)
                await _rotate(scene, "finish", old)
                await until(partial(_traded, books, new), what="the successor trades", timeout_s=60)
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


async def _traded(books: Books, wallet: WalletId) -> bool:
    settled = await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP)
    return any(order.wallet == wallet for order in settled)


async def _drift(books: Books, wallet: WalletId) -> dict[str, int]:
    bed, chain, owner = books.scene.bed, chain_of(wallet), address_of(wallet)
    booked = await books.store.close_books(wallet)
    on_chain = {native(chain): await bed.balance(owner, "ETH")}
    for symbol in _SYMBOLS:
        on_chain[erc20(chain, parse_address(bed.world.token(symbol)))] = await bed.balance(owner, symbol)
    gaps = {asset: amount - booked.get(asset, 0) for asset, amount in on_chain.items()}
    return {asset: gap for asset, gap in gaps.items() if gap}
