"""A chain, a Vault set up by commands, and a signer on both of them; refuses to hold a key itself."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.e2e.load import GENEROUS
from tests.testbed.anvil import Anvil
from tests.testbed.processes import Child
from tests.testbed.signer_program import SignerFiles, serving, signer_program
from tests.testbed.uniswap import UniswapState
from tests.testbed.vault_desk import VaultDesk

_BLOCK_TIME_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultScene:
    """`async with VaultScene.open(...)`; the signer is started by the test, with `serve`."""

    desk: VaultDesk
    chain: Anvil
    signer: SignerFiles

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, uniswap: UniswapState, folder: Path, *, limits: str = "") -> AsyncIterator[Self]:
        """Everything but the signer; `limits` are lines of its settings."""
        async with (
            Anvil(block_time_s=_BLOCK_TIME_S) as chain,
            VaultDesk.open(folder / "desk") as desk,
        ):
            await chain.load_state(uniswap.dump)
            signer = SignerFiles(
                folder=folder / "signer", world=uniswap.world, rpc_url=chain.url, figures=GENEROUS
            )
            await desk.certify(signer)
            signer.write()
            await desk.take_over(signer)
            with signer.settings.open("a") as settings:
                settings.write(f"[limits]\n{limits}\n")
            yield cls(desk=desk, chain=chain, signer=signer)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Child]:
        """The signer, serving."""
        async with signer_program(self.signer) as child:
            await serving(self.signer, child)
            yield child
