"""A signer that rotates an account until it is killed. Forks one life a line on stdin, says how it ended.

Arguments: URL of the chain, ledger file, addresses of the chain's contracts (JSON). A line is the number of
the step at which the life kills itself, `before` or `after` doing it: `after 3`. Steps are what a crash can
fall between: commits of the ledger, records of the audit trail, broadcasts.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from signer.adapters.evm_rpc.broadcast import EvmBroadcaster
from signer.domain.rotation import RotationState
from signer.domain.transactions import SignedBytes
from signer.ports.audit import AuditRecord
from signer.service.rotation.rotate_account import RotationStep
from tests.integration.rotation_rig import OLD, RotationRig, rotation_rig
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import World


class Death:
    """Kills this process before or after its nth step."""

    def __init__(self, line: str) -> None:
        self._when, number = line.split()
        self._left = int(number)

    def step(self, when: str) -> None:
        self._left -= when == "before"
        if self._left == 0 and when == self._when:
            os.kill(os.getpid(), signal.SIGKILL)

    def awaits(self, rig: RotationRig) -> None:
        """Wait at every step of a rig."""
        flush, append, broadcast = rig.ledger._store.flush, rig.audit.append, EvmBroadcaster.broadcast

        def flush_or_die() -> None:
            self.step("before")
            flush()
            self.step("after")

        async def append_or_die(record: AuditRecord) -> None:
            await self._around(lambda: append(record))

        async def broadcast_or_die(node: EvmBroadcaster, signed: SignedBytes) -> str | None:
            self.step("before")
            objection = await broadcast(node, signed)
            self.step("after")
            return objection

        rig.ledger._store.flush = flush_or_die  # type: ignore[method-assign]  # the scripted crash
        rig.audit.append = append_or_die  # type: ignore[method-assign]  # likewise
        EvmBroadcaster.broadcast = broadcast_or_die  # type: ignore[method-assign,assignment]  # likewise

    async def _around(self, act: Callable[[], Awaitable[None]]) -> None:
        self.step("before")
        await act()
        self.step("after")


async def live(anvil: Anvil, world: World, path: Path, line: str) -> None:
    async with rotation_rig(anvil, world, path=path) as rig:
        Death(line).awaits(rig)
        if not any(one.state is RotationState.FINISHED for one in await rig.ledger.rotations()):
            await rig.begin()
            await rig.until_swept()
            await rig.rotate(RotationStep.FINISH, OLD)


def main() -> None:
    url, path, world = sys.argv[1], Path(sys.argv[2]), World.load(Path(sys.argv[3]))
    anvil = Anvil()
    anvil.url = url
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(live(anvil, world, path, line))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
