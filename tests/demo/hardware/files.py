"""The signer's files for the rehearsal: a wallet of two accounts, a guardian, limits that differ."""

from dataclasses import replace
from pathlib import Path

from tests.e2e.device_scene import put_on_ledger
from tests.testbed.signer_program import PolicyFigures, SignerFiles, policy_text
from tests.testbed.uniswap import USDX_UNIT, World

ON_LEDGER, ON_DEV = 0, 1
DEVICE_PER_TRADE, HOT_PER_TRADE, HOT_PER_TRADE_LATER = 2_000 * USDX_UNIT, 200 * USDX_UNIT, 400 * USDX_UNIT
APPROVAL_TIMEOUT_S = 90


def write(folder: Path, world: World, rpc_url: str, *, device: str, guardian: str) -> SignerFiles:
    """A signer with its first account on the Ledger at `device`; only `guardian` lets a policy in."""
    files = SignerFiles(
        folder=folder, world=world, rpc_url=rpc_url, account_indexes=(ON_LEDGER, ON_DEV)
    ).write()
    put_on_ledger(files, device, APPROVAL_TIMEOUT_S)
    files.settings.write_text(f'guardian = "{guardian}"\n{files.settings.read_text()}')
    write_policy(files, serial=1, hot_per_trade=HOT_PER_TRADE)
    return files


def write_policy(files: SignerFiles, *, serial: int, hot_per_trade: int) -> None:
    """An edition of the policy: large trades on the device, small ones on the hot account."""
    device, hot = files.accounts
    figures = PolicyFigures(usdx_per_trade=DEVICE_PER_TRADE)
    large = policy_text([device], files.world, figures).removeprefix("version = 1\n")
    small = policy_text([hot], files.world, replace(figures, usdx_per_trade=hot_per_trade))
    files.policy.write_text(f"version = 1\nserial = {serial}\n{large}{small.removeprefix('version = 1')}")
