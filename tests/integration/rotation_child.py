"""A signer that rotates an account until it is killed; see `killed_lives`. A line is
`LEDGER STEP`, or `LEDGER STEP emergency`.

Arguments: URL of the chain, addresses of the chain's contracts (a JSON file).
"""

import sys
from pathlib import Path

from signer.domain.rotation import RotationState
from signer.service.rotation.rotate_account import RotationStep
from tests.integration.killed_lives import Death, live_by_line
from tests.integration.rotation_rig import OLD, RotationRig, rotation_rig
from tests.integration.rotation_steps import watch
from tests.testbed.anvil import Anvil
from tests.testbed.uniswap import World


async def rotate_to_the_end(rig: RotationRig, *, emergency: bool = False) -> None:
    """Begin, drain, finish: what an operator and the running signer do, and do again after a crash."""
    if not any(one.state is RotationState.FINISHED for one in await rig.ledger.rotations()):
        await rig.begin(emergency=emergency)
        await rig.until_swept()
        await rig.rotate(RotationStep.FINISH, OLD)


def main() -> None:
    anvil, world = Anvil(), World.load(Path(sys.argv[2]))
    anvil.url = sys.argv[1]

    async def live(line: str) -> None:
        path, step, *urgency = line.split()
        async with rotation_rig(anvil, world, path=Path(path)) as rig:
            death = Death(int(step))
            watch(rig, before=lambda _name: None, after=lambda _name: death.step())
            await rotate_to_the_end(rig, emergency=bool(urgency))

    live_by_line(live)


if __name__ == "__main__":
    main()
