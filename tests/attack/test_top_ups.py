"""Top-ups as a way out: whatever a trader asks of the device's account, tokens go to the listed account only.

The signer refuses before the person sees anything; the same bytes by force steal on a twin of its chain.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import types_pb2 as types
from tests.attack.heist import Heist
from tests.attack.market import call
from tests.attack.works import FUNDS, THIEF, Works, prepare
from tests.e2e.asking import GAS_LIMIT, refusal
from tests.e2e.device_scene import DeviceScene
from tests.e2e.wallet_scene import COINS_PER_TOP_UP, HOT_ADDRESS, PER_TOP_UP, add_top_ups
from tests.fakes import wire
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER, UniswapState, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS_LIKE_HOT = HOT_ADDRESS[:8] + "0" * 26 + HOT_ADDRESS[-8:]
"""What an address-poisoner would have: the ends that people compare, and another middle."""
ALL_USDX = FUNDS["USDX"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A signer whose first account is on a Ledger and may top the second one up, and the twin for force."""

    scene: DeviceScene
    twin: Anvil
    works: Works

    @property
    def world(self) -> World:
        return self.scene.signer.world

    def request(
        self, key: str, to: str, data: bytes, claim: types.Claim, *, account: int = 0, value_wei: int = 0
    ) -> pb.SignEvmTransactionRequest:
        """Any bytes under any claim."""
        return pb.SignEvmTransactionRequest(
            idempotency_key=f"top-up-attack-{key}",
            account=self.scene.signer.accounts[account],
            transaction=types.EvmTransaction(
                to=to,
                value_wei=str(value_wei),
                data=data,
                gas_limit=GAS_LIMIT,
                max_fee_per_gas_wei=str(20 * GWEI),
                max_priority_fee_per_gas_wei=str(GWEI),
            ),
            claim=claim,
        )

    def honest_claim(self, amount: int = PER_TOP_UP, recipient: str = HOT_ADDRESS) -> types.Claim:
        """What a listed top-up says of itself."""
        moved = types.TokenTransferClaim(token=self.world.usdx, recipient=recipient, amount=str(amount))
        return types.Claim(token_transfer=moved)

    async def refused(self, request: pb.SignEvmTransactionRequest) -> set[str]:
        """Reasons of the denial; the person has seen nothing."""
        reviews = len(self.scene.device.reviews)
        error = await refusal(self.scene.signer, request)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED, error
        assert len(self.scene.device.reviews) == reviews
        return set(wire.reasons(error))

    @contextlib.asynccontextmanager
    async def heist(self) -> AsyncIterator[Heist]:
        """The twin as the thief's playground; afterwards it never happened."""
        snapshot = await self.twin.rpc("evm_snapshot")
        await self.twin.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        try:
            yield Heist(chain=self.twin, world=self.world, works=self.works)
        finally:
            assert await self.twin.rpc("evm_revert", snapshot) is True


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="stage")
async def _stage(uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    works, dump = await prepare(uniswap, (0, 1))
    state = replace(uniswap, dump=dump)
    folder = tmp_path_factory.mktemp("top_ups")
    async with DeviceScene.open(state, folder) as scene, Anvil() as twin:
        await twin.load_state(dump)
        add_top_ups(scene.signer)
        async with scene.serve():
            yield Stage(scene=scene, twin=twin, works=works)


@pytest.mark.parametrize(
    ("recipient", "name"), [(THIEF, "thief"), (LOOKS_LIKE_HOT, "look_alike")], ids=["thief", "look_alike"]
)
@pytest.mark.parametrize("honest", [True, False])
async def test_a_transfer_to_anybody_else_is_refused_and_would_be_theft(
    stage: Stage, recipient: str, name: str, *, honest: bool
) -> None:
    data = call("transfer(address,uint256)", recipient, PER_TOP_UP)
    claim = stage.honest_claim(recipient=recipient if honest else HOT_ADDRESS)
    request = stage.request(f"{name}-{honest}", stage.world.usdx, data, claim)

    reasons = {"RECIPIENT_NOT_ALLOWED"} if honest else {"RECIPIENT_NOT_ALLOWED", "CLAIM_MISMATCH"}
    assert await stage.refused(request) == reasons
    async with stage.heist() as heist:
        before = await heist.balance(recipient, "USDX")
        await heist.force(request)
        assert await heist.balance(recipient, "USDX") - before == PER_TOP_UP


async def test_coins_for_a_look_alike_are_refused_and_would_be_gone(stage: Stage) -> None:
    transfer = types.NativeTransferClaim(recipient=LOOKS_LIKE_HOT, amount=str(COINS_PER_TOP_UP))
    request = stage.request(
        "coins", LOOKS_LIKE_HOT, b"", types.Claim(native_transfer=transfer), value_wei=COINS_PER_TOP_UP
    )

    assert await stage.refused(request) == {"RECIPIENT_NOT_ALLOWED"}
    async with stage.heist() as heist:
        await heist.force(request)
        assert await heist.balance(LOOKS_LIKE_HOT, "ETH") == COINS_PER_TOP_UP


async def test_a_top_up_behind_which_another_one_is_written_is_refused_and_would_be_theft(
    stage: Stage,
) -> None:
    """A token reads the first two words; whoever read the last two would see an honest top-up."""
    honest = call("transfer(address,uint256)", HOT_ADDRESS, PER_TOP_UP)
    data = call("transfer(address,uint256)", THIEF, ALL_USDX) + honest[4:]
    request = stage.request("trailing-theft", stage.world.usdx, data, stage.honest_claim())

    assert await stage.refused(request) == {"NOT_UNDERSTOOD"}
    async with stage.heist() as heist:
        before = await heist.balance(THIEF, "USDX")
        await heist.force(request)
        assert await heist.balance(THIEF, "USDX") - before == ALL_USDX


async def test_an_honest_top_up_with_one_byte_more_is_refused(stage: Stage) -> None:
    data = call("transfer(address,uint256)", HOT_ADDRESS, PER_TOP_UP) + b"\0"

    refused = stage.request("trailing-byte", stage.world.usdx, data, stage.honest_claim())
    assert await stage.refused(refused) == {"NOT_UNDERSTOOD"}


async def test_too_much_at_once_is_refused_and_would_all_be_on_the_hot_key(stage: Stage) -> None:
    data = call("transfer(address,uint256)", HOT_ADDRESS, ALL_USDX)
    request = stage.request("everything", stage.world.usdx, data, stage.honest_claim(ALL_USDX))

    assert await stage.refused(request) == {"AMOUNT_TOO_HIGH", "ROLLING_CAP_EXCEEDED"}
    async with stage.heist() as heist:
        before = await heist.balance(HOT_ADDRESS, "USDX")
        await heist.force(request)
        assert await heist.balance(HOT_ADDRESS, "USDX") - before == ALL_USDX


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("transferFrom", call("transferFrom(address,address,uint256)", HOT_ADDRESS, THIEF, 1)),
        ("approve-thief", call("increaseAllowance(address,uint256)", THIEF, ALL_USDX)),
    ],
)
async def test_other_ways_to_move_the_token_stay_unread(stage: Stage, name: str, data: bytes) -> None:
    request = stage.request(name, stage.world.usdx, data, stage.honest_claim())

    assert await stage.refused(request) == {"NOT_UNDERSTOOD"}


async def test_a_token_that_no_top_up_lists_stays_unread_and_would_be_theft(stage: Stage) -> None:
    data = call("transfer(address,uint256)", THIEF, ETHER)
    request = stage.request("weth", stage.world.weth, data, stage.honest_claim())

    assert await stage.refused(request) == {"NOT_UNDERSTOOD"}
    async with stage.heist() as heist:
        before = await heist.balance(THIEF, "WETH")
        await heist.force(request)
        assert await heist.balance(THIEF, "WETH") - before == ETHER


async def test_the_account_that_trades_by_itself_tops_up_nobody(stage: Stage) -> None:
    data = call("transfer(address,uint256)", THIEF, ALL_USDX)
    claim = stage.honest_claim(ALL_USDX, THIEF)
    request = stage.request("from-the-hot-one", stage.world.usdx, data, claim, account=1)

    assert await stage.refused(request) == {"NOT_UNDERSTOOD"}
    async with stage.heist() as heist:
        before = await heist.balance(THIEF, "USDX")
        await heist.force(request)
        assert await heist.balance(THIEF, "USDX") - before == ALL_USDX
