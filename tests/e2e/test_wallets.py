"""A wallet over the wire: who is chosen, who is named, who is topped up; with a person whom we play."""

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import signer_pb2 as pb
from signer.domain.accounts import Address
from signer.domain.actions import Erc20Transfer, NativeTransfer
from tests.e2e.asking import TIMEOUT_S, Asker, asking, refusal, swap
from tests.e2e.device_scene import WALLET, DeviceScene
from tests.e2e.scene import operator
from tests.e2e.test_device_signing import mined
from tests.e2e.wallet_scene import (
    BELOW_ON_HOT,
    COINS_PER_TOP_UP,
    HOT_ADDRESS,
    LEAST_ON_DEVICE,
    PER_TOP_UP,
    add_conditions,
    add_top_ups,
    closed_hours,
    fund,
    request,
    tokens,
)
from tests.fakes.wire import error_infos, reasons
from tests.testbed.processes import until
from tests.testbed.signer_program import signer_program
from tests.testbed.uniswap import UniswapState

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGE, SMALL = BELOW_ON_HOT, LEAST_ON_DEVICE - 1


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="scene")
async def _scene(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DeviceScene]:
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("wallet")) as scene:
        add_conditions(scene.signer)
        add_top_ups(scene.signer)
        await fund(scene.chain, scene.signer.world, scene.signer.address)
        async with scene.serve():
            yield scene


async def choose(asker: Asker, amount: int) -> pb.ChooseAccountResponse:
    world = asker.files.world
    asked = pb.ChooseAccountRequest(
        wallet=WALLET, chain=f"eip155:{world.chain_id}", token_in=world.usdx, amount_in=str(amount)
    )
    return await asker.stub.ChooseAccount(asked, timeout=TIMEOUT_S)


def named(error: grpc.aio.AioRpcError) -> dict[str, str]:
    (info,) = error_infos(error)
    return dict(info.metadata)


async def test_the_list_says_when_each_has_its_turn_and_which_waits_for_a_person(scene: DeviceScene) -> None:
    async with asking(scene.signer) as asker:
        device, hot = (await asker.stub.ListAccounts(pb.ListAccountsRequest(), timeout=TIMEOUT_S)).accounts

    assert device.condition == (
        f"at least {LEAST_ON_DEVICE} of {scene.signer.world.usdx}; its device is there and unlocked"
    )
    assert (device.ready, device.attended, device.approval_timeout_ms) == (True, True, 60_000)
    assert hot.condition == f"below {BELOW_ON_HOT} of {scene.signer.world.usdx}"
    assert (hot.ready, hot.attended, hot.approval_timeout_ms) == (True, False, 0)


async def test_large_trades_are_for_the_device_and_small_ones_for_the_hot_account(scene: DeviceScene) -> None:
    async with asking(scene.signer) as asker:
        large, small = await choose(asker, LARGE), await choose(asker, SMALL)

        assert large.account.lower() == scene.signer.accounts[0]
        assert small.account.lower() == scene.signer.accounts[1]
        assert large.choices[1].reason == "WALLET_CONDITION"
        assert large.choices[1].max_amount_in == str(BELOW_ON_HOT - 1)

    error = await refusal(scene.signer, swap(scene.signer, "small_on_device", amount=SMALL))
    assert (error.code(), reasons(error)) == (grpc.StatusCode.FAILED_PRECONDITION, ["WALLET_CONDITION"])
    assert named(error) == {"next_account": small.account, "next_max_amount_in": str(BELOW_ON_HOT - 1)}


async def test_with_the_device_gone_the_hot_account_is_named_and_signs_a_smaller_trade(
    scene: DeviceScene,
) -> None:
    files, reviews = scene.signer, len(scene.device.reviews)
    scene.device.unplug()
    async with asking(files) as asker:

        async def is_gone() -> bool:
            return (await choose(asker, LARGE)).choices[0].reason == "DEVICE_GONE"

        await until(is_gone, what="the signer sees that the device is gone")
        chosen = await choose(asker, LARGE)
        error = await refusal(files, swap(files, "device_gone", amount=LARGE))
        hot = named(error)["next_account"]
        smaller = int(named(error)["next_max_amount_in"])
        retried = swap(files, "on_hot", amount=smaller, recipient=HOT_ADDRESS)
        retried.account = hot
        signed = await asker.sign(retried)

        assert (chosen.account, chosen.choices[0].max_amount_in) == ("", "0")
        assert chosen.choices[0].message
        assert (error.code(), reasons(error)) == (grpc.StatusCode.UNAVAILABLE, ["DEVICE_GONE"])
        assert (hot.lower(), smaller) == (files.accounts[1], BELOW_ON_HOT - 1)
        assert signed.raw_transaction
        assert (await asker.state()).not_ready_reason
        assert not (await asker.state()).ready

        scene.device.plug()

        async def is_back() -> bool:
            return (await choose(asker, LARGE)).account.lower() == files.accounts[0]

        await until(is_back, what="the signer sees that the device is back")
    assert len(scene.device.reviews) == reviews


async def test_out_of_hours_the_last_account_has_no_next(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("closed")) as scene:
        add_conditions(scene.signer, hot_hours=closed_hours())
        scene.device.unplug()
        async with scene.serve(), asking(scene.signer) as asker:
            chosen = await choose(asker, SMALL)
            on_hot = swap(scene.signer, "closed", amount=SMALL, recipient=HOT_ADDRESS)
            on_hot.account = scene.signer.accounts[1]
            closed = await refusal(scene.signer, on_hot)
            gone = await refusal(scene.signer, swap(scene.signer, "gone", amount=LARGE))

    assert chosen.account == ""
    assert [each.reason for each in chosen.choices] == ["DEVICE_GONE", "WALLET_CONDITION"]
    assert (reasons(closed), named(closed)) == (["WALLET_CONDITION"], {})
    assert (reasons(gone), named(gone)) == (["DEVICE_GONE"], {})


async def test_a_top_up_that_a_person_confirmed_moves_the_tokens(scene: DeviceScene) -> None:
    files = scene.signer
    before = await tokens(scene, files.address), await tokens(scene, HOT_ADDRESS)
    wanted = Erc20Transfer(token=Address(files.world.usdx), recipient=Address(HOT_ADDRESS), amount=PER_TOP_UP)
    async with asking(files) as asker:
        signing = asker.sign_soon(request(files, "top_up", wanted))
        await scene.shown()
        scene.device.approve()
        assert await mined(scene.chain, await signing)
        resource = f"topup:{files.world.usdx}:{HOT_ADDRESS}"
        used, traded = await asker.used(resource), await asker.used(f"token:{files.world.usdx}")

    after = await tokens(scene, files.address), await tokens(scene, HOT_ADDRESS)
    assert after == (before[0] - PER_TOP_UP, before[1] + PER_TOP_UP)
    assert (used, set(traded)) == ([PER_TOP_UP], {0})


async def test_a_top_up_of_coins_moves_them_and_one_too_many_is_refused(scene: DeviceScene) -> None:
    files = scene.signer
    wanted = NativeTransfer(recipient=Address(HOT_ADDRESS), amount_wei=COINS_PER_TOP_UP)
    before = await scene.chain.balance(HOT_ADDRESS)
    async with asking(files) as asker:
        for number in range(2):
            signing = asker.sign_soon(request(files, f"coins_{number}", wanted))
            await scene.shown()
            scene.device.approve()
            assert await mined(scene.chain, await signing)
            await scene.cleared()
    error = await refusal(files, request(files, "coins_2", wanted))

    assert await scene.chain.balance(HOT_ADDRESS) - before == 2 * COINS_PER_TOP_UP
    assert (error.code(), reasons(error)) == (grpc.StatusCode.PERMISSION_DENIED, ["ROLLING_CAP_EXCEEDED"])


async def test_a_top_up_that_a_person_rejects_moves_nothing_and_names_nobody(scene: DeviceScene) -> None:
    files = scene.signer
    before = await tokens(scene, HOT_ADDRESS)
    wanted = Erc20Transfer(token=Address(files.world.usdx), recipient=Address(HOT_ADDRESS), amount=1)
    async with asking(files) as asker:
        signing = asker.sign_soon(request(files, "rejected_top_up", wanted))
        await scene.shown()
        scene.device.reject()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await signing

    assert reasons(caught.value) == ["REJECTED_ON_DEVICE"]
    assert "next_account" not in named(caught.value)
    assert await tokens(scene, HOT_ADDRESS) == before


async def test_a_top_up_of_a_stranger_comes_into_force_neither_by_a_reload_nor_by_a_start(
    scene: DeviceScene, uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = scene.signer
    before = files.policy.read_text()
    add_top_ups(files, to="0x" + "66" * 20)
    reload = await operator(files, "reload-policy")
    files.policy.write_text(before)

    assert reload.code != 0
    assert "no account of the same wallet" in reload.err
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("stranger")) as other:
        add_top_ups(other.signer, to="0x" + "66" * 20)
        async with signer_program(other.signer) as child:
            code = await child.wait()
        assert (code, "no account of the same wallet" in child.log()) == (3, True)
