"""A chain, a Ledger with a person whom the test plays, and a signer on both; refuses to press by itself.

The wallet "main" has two accounts, in this order: one on the Ledger, one on a development key.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from signer.mock.devices.ledger.apdu import Review
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import IGNORE, always
from signer.mock.devices.ledger.server import LedgerServer
from tests.testbed.anvil import Anvil
from tests.testbed.processes import Child, until
from tests.testbed.signer_program import PolicyFigures, SignerFiles, serving, signer_program
from tests.testbed.uniswap import UniswapState

WALLET = "main"
DEVICE = "desk"
_BLOCK_TIME_S = 0.2
_ON_LEDGER, _ON_DEV = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceScene:
    """`async with DeviceScene.open(...)`; the signer is started by the test, with `serve`."""

    device: LedgerDevice
    server: LedgerServer
    chain: Anvil
    signer: SignerFiles

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        uniswap: UniswapState,
        folder: Path,
        *,
        approval_timeout_s: int = 60,
        limits: str = "",
        figures: PolicyFigures | None = None,
        block_time_s: float | None = _BLOCK_TIME_S,
    ) -> AsyncIterator[Self]:
        """Everything but the signer; `limits` are lines of its settings."""
        device = LedgerDevice(person=always(IGNORE))
        device.blind(on=True)
        async with Anvil(block_time_s=block_time_s) as chain:
            with LedgerServer(device) as server:
                await chain.load_state(uniswap.dump)
                files = SignerFiles(
                    folder=folder / "signer",
                    world=uniswap.world,
                    rpc_url=chain.url,
                    account_indexes=(_ON_LEDGER, _ON_DEV),
                    figures=figures or PolicyFigures(),
                ).write()
                put_on_ledger(files, server.address, approval_timeout_s)
                with files.settings.open("a") as settings:
                    settings.write(f"[limits]\n{limits}\n")
                yield cls(device=device, server=server, chain=chain, signer=files)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Child]:
        """The signer, serving."""
        async with signer_program(self.signer) as child:
            await serving(self.signer, child)
            yield child

    async def shown(self) -> Review:
        """The review that is before the person, once there is one."""
        await self.until(lambda: self.device.review is not None, "a review is shown")
        review = self.device.review
        assert review is not None
        return review

    async def cleared(self) -> None:
        """Wait until nothing is before the person."""
        await self.until(lambda: self.device.review is None, "the display is clear")

    async def until(self, so: Callable[[], bool], what: str) -> None:
        """Wait for what another thread does."""

        async def holds() -> bool:
            return so()

        await until(holds, what=what)


def put_on_ledger(files: SignerFiles, address: str, approval_timeout_s: int) -> None:
    """Let the first account of written files be on the Ledger at `address`; both are of one wallet."""
    text = files.settings.read_text()
    before = f'wallet = "hot-{_ON_LEDGER}"\nbackend = "dev"\ndev = {{ mnemonic_index = {_ON_LEDGER} }}\n'
    assert before in text
    after = (
        f'wallet = "{WALLET}"\nbackend = "ledger"\n'
        f'ledger = {{ device = "{DEVICE}", path = "m/44\'/60\'/0\'/0/0" }}\n'
    )
    device = f"""
[[ledgers]]
name = "{DEVICE}"
where = "tcp:{address}"
lock_file = "{DEVICE}.lock"
approval_timeout_s = {approval_timeout_s}
"""
    text = text.replace(before, after).replace(f'wallet = "hot-{_ON_DEV}"', f'wallet = "{WALLET}"')
    files.settings.write_text(text + device)
