"""A wallet over two keys, on a Ledger and in memory: conditions, top-ups and money for `DeviceScene`."""

import time

from protos.airlock.signer.v1 import signer_pb2 as pb
from signer.domain.actions import Action
from tests.e2e.asking import GAS_LIMIT
from tests.e2e.device_scene import DeviceScene
from tests.fakes import calldata, wire
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import PolicyFigures, SignerFiles, policy_text
from tests.testbed.uniswap import ETHER, USDX_UNIT, World

FUNDS = 50_000 * USDX_UNIT
LEAST_ON_DEVICE = 100 * USDX_UNIT
BELOW_ON_HOT = 1_000 * USDX_UNIT
PER_TOP_UP = 500 * USDX_UNIT
COINS_PER_TOP_UP = ETHER // 10
HOT_ADDRESS = dev_account(1).address
_ON_LEDGER, _ON_DEV = "m/44'/60'/0'/0/0\" }\n", "dev = { mnemonic_index = 1 }\n"


def add_conditions(files: SignerFiles, *, hot_hours: str | None = None) -> None:
    """Large trades are for the device, small ones for the hot account, which may have hours, too."""
    text = files.settings.read_text()
    assert _ON_LEDGER in text
    assert _ON_DEV in text
    on_device = f'at_least = "{LEAST_ON_DEVICE}"'
    hours = "" if hot_hours is None else f'[accounts.when]\nhours_utc = "{hot_hours}"\n'
    text = text.replace(_ON_LEDGER, _ON_LEDGER + _amounts(files.world, on_device))
    text = text.replace(_ON_DEV, _ON_DEV + hours + _amounts(files.world, f'below = "{BELOW_ON_HOT}"'))
    files.settings.write_text(text)


def add_top_ups(files: SignerFiles, *, to: str = HOT_ADDRESS) -> None:
    """The device may top `to` up with USDX and the native coin."""
    device, hot = (policy_text((account,), files.world, PolicyFigures()) for account in files.accounts)
    top_ups = "".join(
        f"""
[[accounts.top_ups]]
to = "{to}"
token = "{token}"
max_per_top_up = "{most}"
max_per_day = "{2 * most}"
"""
        for token, most in ((files.world.usdx, PER_TOP_UP), ("native", COINS_PER_TOP_UP))
    )
    files.policy.write_text(device + top_ups + hot.removeprefix("version = 1\n"))


async def fund(chain: Anvil, world: World, account: str) -> None:
    """Give an account what it can trade and top up with."""
    give = abi.calldata("mint(address,uint256)", account, FUNDS)
    await chain.send(dev_account(LIQUIDITY_PROVIDER).address, world.usdx, give)


async def tokens(scene: DeviceScene, owner: str) -> int:
    """USDX of somebody."""
    return await scene.chain.uint(scene.signer.world.usdx, "balanceOf(address)", owner)


def request(
    files: SignerFiles, key: str, action: Action, *, account: str = ""
) -> pb.SignEvmTransactionRequest:
    """An honest request for any action of the device's account."""
    asked = pb.SignEvmTransactionRequest(
        idempotency_key=key.ljust(16, "_"),
        account=account or files.account,
        transaction=wire.transaction(calldata.payload(action)),
        claim=wire.claim(action),
    )
    asked.transaction.gas_limit = GAS_LIMIT
    return asked


def closed_hours() -> str:
    """Hours that are far from now."""
    hour = time.gmtime().tm_hour
    return f"{(hour + 6) % 24:02}:00-{(hour + 8) % 24:02}:00"


def _amounts(world: World, bound: str) -> str:
    return f'[[accounts.when.amounts]]\ntoken = "{world.usdx}"\n{bound}\n'
