"""The whole signer with a Ledger: what its client sees, whatever the person, a crash or a pause does."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import types_pb2 as types
from tests.e2e.asking import TIMEOUT_S, Asker, asking, swap
from tests.e2e.device_scene import DeviceScene
from tests.e2e.scene import operator
from tests.fakes.wire import reasons
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import until
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import UniswapState

Signing = asyncio.Task[pb.SignEvmTransactionResponse]
Phase = pb.WatchTransactionsResponse
QUEUED = Phase.DEVICE_PHASE_QUEUED
WAITING = Phase.DEVICE_PHASE_WAITING_FOR_CONFIRMATION
CONFIRMED = Phase.DEVICE_PHASE_CONFIRMED
ENDED = Phase.DEVICE_PHASE_ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client of the signer, who also watches."""

    scene: DeviceScene
    asker: Asker
    heard: list[pb.WatchTransactionsResponse] = field(default_factory=list)

    def ask(self, key: str) -> Signing:
        return asyncio.ensure_future(self.asker.sign(swap(self.scene.signer, key)))

    def phases(self, key: str) -> list[int]:
        """In their order, each once: it is told again when more is known of what waits."""
        return [phase for phase, _ in itertools.groupby(each.device_phase for each in self._of(key))]

    async def transaction_id(self, key: str) -> str:
        await self.scene.until(lambda: bool(self._of(key)), f"{key} is heard of")
        return self._of(key)[0].transaction.transaction_id

    async def slot(self, transaction_id: str) -> int:
        request = pb.GetTransactionRequest(transaction_id=transaction_id)
        answer = await self.asker.stub.GetTransaction(request, timeout=TIMEOUT_S)
        return answer.transaction.state

    async def refused(self, signing: Signing) -> tuple[grpc.StatusCode, list[str]]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await signing
        return caught.value.code(), reasons(caught.value)

    async def cancel(self, key: str, transaction_id: str) -> pb.CancelTransactionResponse:
        request = pb.CancelTransactionRequest(
            idempotency_key=key.ljust(16, "_"),
            transaction_id=transaction_id,
            max_fee_per_gas_wei=str(30 * GWEI),
            max_priority_fee_per_gas_wei=str(2 * GWEI),
        )
        return await self.asker.stub.CancelTransaction(request, timeout=TIMEOUT_S)

    async def until_judged(self, *violations: str) -> None:
        """Wait until the signer sees a new price: it believes a block for a moment."""

        async def so() -> bool:
            request = swap(self.scene.signer, "evaluated")
            asked = pb.EvaluateRequest(account=request.account, evm=request.transaction, claim=request.claim)
            answer = await self.asker.stub.Evaluate(asked, timeout=TIMEOUT_S)
            return tuple(each.reason for each in answer.violations) == violations

        await until(so, what=f"the swap has {violations or 'nothing'} against it")

    async def follow(self) -> None:
        async for each in self.asker.stub.WatchTransactions(pb.WatchTransactionsRequest()):
            self.heard.append(each)

    def _of(self, key: str) -> list[pb.WatchTransactionsResponse]:
        name = key.ljust(16, "_")
        return [each for each in self.heard if each.transaction.idempotency_key == name and each.device_phase]


@contextlib.asynccontextmanager
async def client(scene: DeviceScene) -> AsyncIterator[Client]:
    async with asking(scene.signer) as asker:
        one = Client(scene=scene, asker=asker)
        watching = asyncio.ensure_future(one.follow())
        try:
            yield one
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await watching


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="scene")
async def _scene(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DeviceScene]:
    folder = tmp_path_factory.mktemp("device")
    async with DeviceScene.open(uniswap, folder) as scene, scene.serve():
        yield scene


@pytest.mark.asyncio(loop_scope="session")
async def test_a_trade_that_a_person_confirmed_is_mined(scene: DeviceScene) -> None:
    async with client(scene) as one:
        signing = one.ask("confirmed")
        review = await scene.shown()
        scene.device.approve()
        answer = await signing

        assert await mined(scene.chain, answer)
        await scene.until(lambda: ENDED in one.phases("confirmed"), "the end is heard of")
        assert any("Tx hash" in line for line in review.screens)
        heard = one.phases("confirmed")
        assert [each for each in heard if each != QUEUED] == [WAITING, CONFIRMED, ENDED]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_rejection_is_a_denial_and_the_next_one_has_its_nonce(scene: DeviceScene) -> None:
    async with client(scene) as one:
        seen = len(scene.device.reviews)
        signing, after = one.ask("rejected"), one.ask("after_rejected")
        await scene.shown()
        scene.device.reject()
        await scene.until(lambda: len(scene.device.reviews) == seen + 2, "the next is shown")
        scene.device.approve()
        answers = await asyncio.gather(signing, after, return_exceptions=True)

        refused = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
        signed = [each for each in answers if isinstance(each, pb.SignEvmTransactionResponse)]
        assert [(each.code(), reasons(each)) for each in refused] == [
            (grpc.StatusCode.PERMISSION_DENIED, ["REJECTED_ON_DEVICE"])
        ]
        assert await mined(scene.chain, signed[0])


@pytest.mark.asyncio(loop_scope="session")
async def test_a_client_gives_up_and_the_dialog_ends(scene: DeviceScene) -> None:
    async with client(scene) as one:
        signing = one.ask("given_up")
        await scene.shown()
        transaction_id = await one.transaction_id("given_up")

        answer = await one.cancel("give_up", transaction_id)

        assert (answer.transaction_id, answer.raw_transaction) == (transaction_id, b"")
        assert await one.refused(signing) == (grpc.StatusCode.PERMISSION_DENIED, ["GIVEN_UP"])
        await scene.cleared()
        assert await one.slot(transaction_id) == types.SLOT_STATE_RELEASED
        assert not scene.device.approve()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_signature_over_a_price_that_is_gone_is_destroyed(scene: DeviceScene) -> None:
    mover = PriceMover(scene.chain, scene.signer.world, "ABC")
    async with client(scene) as one:
        signing = one.ask("too_late")
        await scene.shown()
        transaction_id = await one.transaction_id("too_late")
        await mover.move(-100)
        await one.until_judged("SLIPPAGE_TOO_HIGH")
        scene.device.approve()

        assert await one.refused(signing) == (grpc.StatusCode.PERMISSION_DENIED, ["SLIPPAGE_TOO_HIGH"])
        assert await one.slot(transaction_id) == types.SLOT_STATE_RELEASED
        await mover.move(100)
        await one.until_judged()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_pause_takes_the_dialog_off(scene: DeviceScene) -> None:
    account = scene.signer.account
    async with client(scene) as one:
        signing = one.ask("paused")
        await scene.shown()

        assert (await operator(scene.signer, "pause", "--account", account, "--reason", "drill")).code == 0

        assert await one.refused(signing) == (grpc.StatusCode.FAILED_PRECONDITION, ["ACCOUNT_PAUSED"])
        await scene.cleared()
        assert (await operator(scene.signer, "resume", "--account", account)).code == 0


@pytest.mark.asyncio(loop_scope="session")
async def test_an_unplugged_device_in_mid_review_stops_its_account_until_somebody_looked(
    scene: DeviceScene,
) -> None:
    account = scene.signer.account
    async with client(scene) as one:
        signing = one.ask("unplugged")
        await scene.shown()
        scene.device.unplug()

        code, why = await one.refused(signing)
        assert (code, why) == (grpc.StatusCode.FAILED_PRECONDITION, ["DEVICE_OUTCOME_UNKNOWN"])
        code, why = await one.refused(one.ask("while_stopped"))
        assert (code, why) == (grpc.StatusCode.FAILED_PRECONDITION, ["ACCOUNT_PAUSED"])
        state = next(each for each in await accounts(one) if each.account.lower() == account)
        assert "mid-review" in state.pause_reason

        scene.device.plug()
        assert (await operator(scene.signer, "resume", "--account", account)).code == 0
        again = one.ask("plugged_in_again")
        await scene.shown()
        scene.device.approve()
        assert await mined(scene.chain, await again)


@pytest.mark.asyncio(loop_scope="session")
async def test_other_accounts_sign_while_a_person_reads(scene: DeviceScene) -> None:
    async with client(scene) as one:
        signing = one.ask("slow_person")
        await scene.shown()

        request = swap(scene.signer, "other_account", recipient=dev_account(1).address)
        request.account = scene.signer.accounts[1]
        assert (await one.asker.sign(request)).raw_transaction

        scene.device.reject()
        assert (await one.refused(signing))[1] == ["REJECTED_ON_DEVICE"]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_kill_in_mid_review_leaves_no_signature_and_no_hole(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("killed")) as scene:
        count = await scene.chain.rpc("eth_getTransactionCount", scene.signer.address, "latest")
        async with scene.serve() as signer, client(scene) as one:
            signing = one.ask("killed")
            await scene.shown()
            signer.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await signing
        scene.device.approve()  # nobody is there to hear it; whoever connects next gets the answer

        async with scene.serve(), client(scene) as one:
            assert await one.asker.all_used() == {0}
            first = one.ask("killed")
            await scene.shown()
            scene.device.approve()
            answer = await first
            assert answer.nonce == int(str(count), 16)
            assert await mined(scene.chain, answer)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_stop_does_not_wait_for_the_person(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("stopped")) as scene:
        async with scene.serve() as signer, client(scene) as one:
            signing = one.ask("stopped")
            await scene.shown()
            started = time.monotonic()
            assert await signer.stop() == 0
            code, why = await one.refused(signing)

        assert (code, why) == (grpc.StatusCode.UNAVAILABLE, ["SHUTTING_DOWN"])
        assert time.monotonic() - started < 30  # half of what the person had
        await scene.cleared()


async def accounts(one: Client) -> list[pb.Account]:
    answer = await one.asker.stub.ListAccounts(pb.ListAccountsRequest(), timeout=TIMEOUT_S)
    return list(answer.accounts)


async def mined(chain: Anvil, answer: pb.SignEvmTransactionResponse) -> bool:
    """Send the bytes; whether they were included at all (with no tokens, the swap reverts)."""
    sent = await chain.rpc("eth_sendRawTransaction", "0x" + answer.raw_transaction.hex())
    assert sent == answer.transaction_hash

    async def included() -> bool:
        return await chain.rpc("eth_getTransactionReceipt", answer.transaction_hash) is not None

    await until(included, what="it is mined")
    return True
