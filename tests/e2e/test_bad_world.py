"""Nodes that fail and lie, damaged files, a key with a second holder: refused aloud, then recovered."""

import asyncio
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc
import grpc.aio

from tests.e2e.asking import Asker, asking, refusal, swap
from tests.e2e.books import Books, open_books
from tests.e2e.scene import Ended, Scene, Stage, command_line, operator
from tests.fakes import wire
from tests.testbed import faults
from tests.testbed.processes import Child, until
from tests.testbed.rpc_proxy import RpcProxy
from tests.testbed.signer_program import PROGRAM as SIGNER
from tests.testbed.signer_program import SignerFiles
from tests.testbed.trader_program import PROGRAM as TRADER
from trader.domain.orders import OrderKind, OrderState

SEND, RECEIPT = "eth_sendRawTransaction", "eth_getTransactionReceipt"
READS = (
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
)
OUT_IN_THE_WORLD = {OrderState.SIGNED, OrderState.BROADCAST, OrderState.UNKNOWN}
CONFIGURATION, OUT_OF_REACH = 3, 4

Change: TypeAlias = Callable[[bytes], bytes]


async def test_a_signer_without_its_node_answers_unavailable_holds_nothing_and_resumes_by_itself(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene:
        _unreachable(scene.bed.signer_proxy)
        async with scene.serve(), asking(scene.signer) as asker:
            at_start = await refusal(scene.signer, swap(scene.signer, "node-away-at-start"))
            scene.bed.signer_proxy.clear()
            first = await _signed_in_time(asker, "node-is-back")
            before = await asker.all_used()
            _unreachable(scene.bed.signer_proxy)
            await asyncio.sleep(0.5)  # longer than the signer believes the last block that it saw
            under_way = await refusal(scene.signer, swap(scene.signer, "node-away-again"))
            after = await asker.all_used()
            scene.bed.signer_proxy.clear()
            second = await _signed_in_time(asker, "node-back-again")

        async with open_books(scene) as books:
            assert [(state, nonce) for state, nonce, _ in books.slots()] == [("signed", 0), ("signed", 1)]
    for error in (at_start, under_way):
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert wire.reasons(error) == ["CHAIN_UNREACHABLE"]
    assert after == before
    assert (first, second) == (0, 1)


async def test_a_node_that_fails_in_every_way_at_sending_gets_each_swap_once(
    stage: Stage, tmp_path: Path
) -> None:
    ways = (
        faults.DropAfter(),
        faults.Status(429, retry_after_s=1),
        faults.DropBefore(),
        faults.Hang(),
        faults.WrongHash(),
        faults.NullResult(),
        faults.Swallow(),
        faults.HtmlBody(),
        faults.WrongId(),
        faults.Refuse(-32000, "internal error"),
        faults.Status(503),
    )
    async with _trading(stage, tmp_path, stuck_after_ms=1_000) as play:
        proxy, sent = play.scene.bed.proxy, play.scene.bed.proxy.count(SEND)
        for way in ways:
            proxy.fault(SEND, way)

        async def met() -> bool:
            return proxy.count(SEND) > sent + len(ways)

        async with play.scene.tide():
            await until(met, what="every fault is met", timeout_s=120)
            await play.books.until_settled(1)
        await _assert_at_rest(play)


async def test_a_node_that_denies_every_receipt_delays_and_fails_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    async with _trading(stage, tmp_path) as play:
        play.scene.bed.proxy.lie(RECEIPT, lambda _params, _truth: None)
        async with play.scene.tide():
            await until(lambda: _asked(play.scene.bed.proxy, 20), what="receipts are denied")
        while_lying = await play.books.orders()
        play.scene.bed.proxy.clear()
        async with play.scene.tide():
            await play.books.until_settled(1)
        await _assert_at_rest(play)

        early = [order for order in while_lying if order.transaction_hash is not None]
        ended = {order.id: order.state for order in await play.books.orders()}
        assert early
        assert {order.state for order in early} <= OUT_IN_THE_WORLD
        assert {ended[order.id] for order in early} == {OrderState.SETTLED}


async def test_a_nonce_used_by_somebody_else_pauses_the_account_until_an_operator_has_looked(
    stage: Stage, tmp_path: Path
) -> None:
    async with _trading(stage, tmp_path) as play:
        scene, books, files = play.scene, play.books, play.scene.signer
        foreign = await books.transaction_count()
        wealth = await scene.bed.anvil.balance(files.address)
        await scene.bed.anvil.send(files.address, files.address, value=1)
        await scene.bed.anvil.rpc(
            "anvil_setBalance", files.address, hex(wealth)
        )  # the fee is not our subject
        async with asking(files) as asker:
            await until(lambda: _paused(asker), what="the account is paused")
            reason = (await asker.state()).pause_reason
        async with scene.tide():
            await until(lambda: _waiting(books), what="an order waits for the signer")
            looked = await operator(files, "reconcile-nonces", "--account", files.account)
            mended = await operator(files, "reconcile-nonces", "--account", files.account, "--apply")
            resumed = await operator(files, "resume", "--account", files.account)
            settled = len(await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP))
            await until(lambda: _more_settled(books, settled), what="trading goes on")
        await books.until_closed()
        await books.until_final()

        assert "another holder of the key has signed" in reason
        assert (looked.code, mended.code, resumed.code) == (1, 0, 0), (looked, mended, resumed)
        assert json.loads(looked.out)["applied"] is False
        assert json.loads(mended.out)["ledger_next_nonce"] == foreign + 1
        await books.assert_one_swap_each(foreign=[foreign])
        await books.assert_close()


async def test_a_second_signer_on_the_same_ledger_is_refused_by_the_name_of_the_first(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve() as signer, asking(scene.signer) as asker:
        ended = await command_line(SIGNER, "run", "--config", str(_twin(scene.signer)))
        answer = await asker.sign(swap(scene.signer, "the-first-goes-on"))

    assert ended.code == CONFIGURATION
    assert f"another signer (pid {signer.pid}) holds this ledger" in ended.err
    assert str(scene.signer.ledger) in ended.err
    assert answer.nonce == 0


async def test_damaged_files_of_the_signer_are_named_and_nothing_starts(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene:
        files = scene.signer
        async with scene.serve(), asking(files) as asker:
            for number in range(20):
                await asker.sign(swap(files, f"before-the-damage-{number}"))
        _checkpoint(files.ledger)
        damages: dict[str, Change] = {
            files.ledger.name: lambda content: content[:4096] + bytes(8192) + content[12_288:],
            files.policy.name: lambda content: content.replace(b"slippage_bps = 50", b"slippage_bps = 500"),
            files.settings.name: lambda content: content.replace(b"[tls]", b"[tsl]"),
            "pki/server.pem": lambda content: content[: len(content) // 2],
        }
        run = [SIGNER, "run", "--config"]
        ended = await asyncio.gather(
            *(_damaged(files.folder, name, damage, run) for name, damage in damages.items())
        )
        async with scene.serve(), asking(files) as asker:
            assert (await asker.sign(swap(files, "after-the-repair"))).nonce == 20

    for path, answer in ended:
        assert answer.code == CONFIGURATION, (path, answer)
        assert str(path) in answer.err, (path, answer)
        assert "Traceback" not in answer.err
    assert "damaged" in ended[0][1].err  # not merely "a copy", which it is too


async def test_a_trader_names_what_it_cannot_use_and_does_not_start(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene:
        files = scene.trader()
        node, run = scene.bed.rpc_url.encode(), [TRADER, "run", "--config"]
        damages: list[tuple[str, Change]] = [
            ("dsn", lambda _: b"postgresql://airlock@127.0.0.1:1/airlock"),
            (files.settings.name, lambda content: content.replace(node, b"http://127.0.0.1:1")),
            (files.settings.name, lambda content: b"allow_everything = true\n" + content),
            (files.settings.name, lambda content: b"[[[\n" + content),
        ]
        ended = await asyncio.gather(*(_damaged(files.folder, *damage, run) for damage in damages))

    (_, database), (_, node_away), (key_path, unknown_key), (toml_path, no_toml) = ended
    assert [answer.code for _, answer in ended] == [OUT_OF_REACH] * 2 + [CONFIGURATION] * 2
    assert "host 127.0.0.1, port 1" in database.err
    assert "127.0.0.1:1" in node_away.err
    assert f"{key_path}:1: allow_everything" in unknown_key.err
    assert str(toml_path) in no_toml.err
    assert all("Traceback" not in answer.err for _, answer in ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    scene: Scene
    books: Books
    trader: Child


@asynccontextmanager
async def _trading(stage: Stage, folder: Path, *, stuck_after_ms: int = 30_000) -> AsyncIterator[Play]:
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(Scene.open(stage, folder))
        books = await stack.enter_async_context(open_books(scene))
        await scene.fund()
        await stack.enter_async_context(scene.serve())
        trader = await stack.enter_async_context(scene.trade(scene.trader(stuck_after_ms=stuck_after_ms)))
        yield Play(scene=scene, books=books, trader=trader)


async def _assert_at_rest(play: Play) -> None:
    await play.books.until_closed()
    await play.books.until_final()
    await play.books.assert_one_swap_each()
    await play.books.assert_close()


def _unreachable(proxy: RpcProxy) -> None:
    for method in READS:
        proxy.fault(method, faults.DropBefore(), times=None)


async def _signed_in_time(asker: Asker, key: str) -> int:
    """The nonce, once the signer signs again."""
    nonces: list[int] = []

    async def signs() -> bool:
        try:
            nonces.append((await asker.sign(swap(asker.files, key))).nonce)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    await until(signs, what="the signer signs again")
    return nonces[0]


async def _asked(proxy: RpcProxy, times: int) -> bool:
    return proxy.count(RECEIPT) >= times


async def _paused(asker: Asker) -> bool:
    return bool((await asker.state()).pause_reason)


async def _waiting(books: Books) -> bool:
    return bool(await books.orders(OrderState.SIGN_REQUESTED))


async def _more_settled(books: Books, before: int) -> bool:
    return len(await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP)) > before


def _twin(files: SignerFiles) -> Path:
    """Settings for the same ledger on other ports."""
    twin = files.folder / "twin.toml"
    text = files.settings.read_text()
    for port in (files.port, files.admin_port):
        text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:0")
    twin.write_text(text)
    return twin


def _checkpoint(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _damaged(folder: Path, name: str, damage: Change, run: Sequence[str]) -> tuple[Path, Ended]:
    """What a program says about a copy of its folder in which one file is damaged; the file, and its end."""
    place = Path(tempfile.mkdtemp(dir=folder.parent)) / folder.name
    await asyncio.to_thread(shutil.copytree, folder, place)
    path = place / name
    path.write_bytes(damage(path.read_bytes()))
    (settings,) = place.glob("[st]*er.toml")
    return path, await command_line(*run, str(settings))
