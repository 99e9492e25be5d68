"""A signer killed at random steps of a rotation finishes it: nothing is lost, left behind or done twice."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from signer.domain.accounts import AccountState
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.slots import SlotState
from tests.integration.rotation_rig import (
    FUNDS,
    NATIVE,
    NEW,
    NEW_ADDRESS,
    OLD,
    OLD_ADDRESS,
    RotationRig,
    rotation_rig,
)
from tests.testbed.anvil import Anvil
from tests.testbed.processes import ROOT
from tests.testbed.uniswap import World

CHILD = Path(__file__).with_name("rotation_child.py")
KILLED, ENDED = -9, 0
MOST_LIVES = 400


async def _lives(anvil: Anvil, world: World, path: Path, seed: int) -> int:
    """Kill one life after the other until one ends by itself; returns how many were killed."""
    where = path.with_name("world.json")
    world.save(where)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        anvil.url,
        str(path),
        str(where),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    rng = random.Random(seed)
    killed, ended = 0, KILLED
    while killed < MOST_LIVES:
        # A life opens the ledger with a commit of its own: at least one step more must be done to get on.
        child.stdin.write(f"{rng.choice(('before', 'after'))} {rng.randint(1, 6)}\n".encode())
        ended = int((await child.stdout.readline()) or b"-1")
        if ended != KILLED:
            break
        killed += 1
    child.stdin.close()
    complaint = (await child.stderr.read()).decode()
    await child.wait()
    assert ended == ENDED, complaint
    return killed


async def _sent(rig: RotationRig, after_block: int) -> list[str]:
    """Targets of everything that the old account sent, by the chain."""
    head = int(str((await rig.anvil.head())["number"]), 16)
    sent = []
    for number in range(after_block + 1, head + 1):
        block = await rig.anvil.rpc("eth_getBlockByNumber", hex(number), True)
        assert isinstance(block, dict)
        transactions = block["transactions"]
        assert isinstance(transactions, list)
        sent += [
            str(each["to"]).lower()
            for each in transactions
            if isinstance(each, dict) and str(each["from"]).lower() == OLD_ADDRESS
        ]
    return sent


@pytest.mark.parametrize("seed", range(2))
async def test_a_signer_killed_at_random_steps_finishes_the_rotation(
    anvil: Anvil, world: World, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "ledger.db"
    async with rotation_rig(anvil, world) as rig:
        await rig.fund()
        for symbol, spender in (("USDX", world.v2_router), ("WETH", world.swap_router)):
            await rig.approve(symbol, spender, 10**30)
        before = await rig.holdings(NEW_ADDRESS)
    start = int(str((await anvil.head())["number"]), 16)

    killed = await _lives(anvil, world, path, seed)

    async with rotation_rig(anvil, world, path=path) as rig:
        await rig.services.accounts.ensure_open(OLD)
        after, left = await rig.holdings(NEW_ADDRESS), await rig.holdings(OLD_ADDRESS)
        records = await rig.drained()
        assert killed > 10
        assert {symbol: after[symbol] - before[symbol] for symbol in FUNDS} == FUNDS
        assert {symbol: left[symbol] for symbol in FUNDS} == dict.fromkeys(FUNDS, 0)
        assert left["ETH"] < 10**14
        assert after["ETH"] - before["ETH"] > NATIVE - 10**16
        assert await rig.allowances(OLD_ADDRESS) == [0] * 6
        signed = [record for record in records if record.state is not SlotState.RELEASED]
        assert len({record.nonce for record in signed}) == len(signed) == 6
        sent = await _sent(rig, start)
        assert sent == [record.unsigned.payload.to for record in signed]
        assert set(sent) == {world.usdx, world.weth, world.abc, NEW_ADDRESS}
        assert rig.state(OLD) is AccountState.RETIRED
        assert rig.services.accounts.view(OLD).successor == NEW
        with pytest.raises(PreconditionError) as refused:
            await rig.ask("of-a-retired-account")
        assert refused.value.reason is FailReason.ACCOUNT_RETIRED
