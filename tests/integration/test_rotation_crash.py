"""SIGKILL of a signer after each persisted step of a rotation, and after random ones again and again.

Nothing is lost, left behind or done twice. No step is left out and none is sampled: the steps are enumerated
until a life ends by itself, and are as many as an undisturbed life counts. A crash before a step finds what
one after the step before it finds, for nothing is changed in between; the first test here proves that.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.audit_file.verify import verify
from signer.domain.accounts import AccountState
from signer.domain.errors import PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.slots import SlotState
from tests.fakes.reservations import trail_of
from tests.integration.killed_lives import ENDED, KILLED, NEVER, Lives, lives
from tests.integration.rotation_child import rotate_to_the_end
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
from tests.integration.rotation_steps import watch
from tests.testbed.anvil import Anvil
from tests.testbed.figures import Figures
from tests.testbed.uniswap import World

CHILD = Path(__file__).with_name("rotation_child.py")
MOST_LIVES = 400


@dataclass(slots=True, kw_only=True)
class Estate:
    """A funded account with allowances, as often as it is wanted: the chain goes back to `snapshot`."""

    anvil: Anvil
    world: World
    folder: Path
    tokens: Mapping[str, int]
    allowances: int
    before: Mapping[str, int]
    start: int
    snapshot: str

    def ledger(self, name: str) -> Path:
        """A ledger that nobody has used."""
        folder = self.folder / name
        folder.mkdir()
        return folder / "ledger.db"

    @asynccontextmanager
    async def signers(self) -> AsyncIterator[Lives]:
        where = self.folder / "world.json"
        self.world.save(where)
        async with lives(CHILD, self.anvil.url, str(where)) as started:
            yield started

    async def again(self) -> None:
        """As if no rotation had been."""
        assert await self.anvil.rpc("evm_revert", self.snapshot) is True
        self.snapshot = str(await self.anvil.rpc("evm_snapshot"))


@pytest_asyncio.fixture
async def estate(anvil: Anvil, world: World, tmp_path: Path) -> Estate:
    """Everything that the policy lists."""
    allowances = (("USDX", world.v2_router), ("WETH", world.swap_router))
    return await _estate(anvil, world, tmp_path, FUNDS, allowances)


@pytest_asyncio.fixture
async def small_estate(anvil: Anvil, world: World, tmp_path: Path) -> Estate:
    """Of every kind what there can be after and before another: an allowance, two tokens, the coin."""
    tokens = {"USDX": FUNDS["USDX"], "ABC": FUNDS["ABC"]}
    return await _estate(anvil, world, tmp_path, tokens, (("USDX", world.v2_router),))


async def _estate(
    anvil: Anvil,
    world: World,
    folder: Path,
    tokens: Mapping[str, int],
    allowances: Sequence[tuple[str, str]],
) -> Estate:
    async with rotation_rig(anvil, world) as rig:
        await rig.fund(tokens=tokens)
        for symbol, spender in allowances:
            await rig.approve(symbol, spender, 10**30)
        before = await rig.holdings(NEW_ADDRESS)
    return Estate(
        anvil=anvil,
        world=world,
        folder=folder,
        tokens=tokens,
        allowances=len(allowances),
        before=before,
        start=int(str((await anvil.head())["number"]), 16),
        snapshot=str(await anvil.rpc("evm_snapshot")),
    )


async def test_between_two_steps_a_rotating_signer_changes_nothing_on_disk(estate: Estate) -> None:
    path, seen = estate.ledger("undisturbed"), dict[str, bytes]()
    differences: list[str] = []

    def before(name: str) -> None:
        if _on_disk(path.parent) != seen:
            differences.append(name)

    def after(_name: str) -> None:
        seen.update(_on_disk(path.parent))

    async with rotation_rig(estate.anvil, estate.world, path=path) as rig:
        after("the start")
        watch(rig, before, after)
        await rotate_to_the_end(rig)

    assert differences == []
    assert len(seen) > 4


@pytest.mark.timeout(600)  # a life is milliseconds, but there are many
async def test_a_signer_killed_after_any_step_finishes_the_rotation(
    small_estate: Estate, figures: Figures
) -> None:
    estate = small_estate
    steps = await _undisturbed(estate)
    async with estate.signers() as signers:
        for number in count(1):
            path = estate.ledger(str(number))
            ended = await signers.live(f"{path} {number}")
            if ended == ENDED:
                break
            assert ended == KILLED
            assert await signers.live(f"{path} {NEVER}") == ENDED
            await _assert_finished(estate, path)
            await estate.again()

    assert number - 1 == len(steps)
    assert {"broadcast", "ledger commit: reserve", "ledger commit: mark_signed"} < set(steps)
    figures("SIGNER_KILLED_IN_A_ROTATION", "after each of", {"steps": len(steps), "names": list(steps)})


@pytest.mark.parametrize("urgency", ["", "emergency"])
async def test_a_signer_killed_again_and_again_at_random_steps_finishes_the_rotation(
    estate: Estate, urgency: str
) -> None:
    path, rng, killed = estate.ledger("ledger"), random.Random(5), 0
    async with estate.signers() as signers:
        while await signers.live(f"{path} {rng.randint(1, 12)} {urgency}") == KILLED:
            killed += 1
            assert killed < MOST_LIVES

    assert killed > 5
    # What an emergency sets aside for ending allowances is moved last, if it is worth it.
    await _assert_finished(estate, path, rest_of_coin=1 if urgency else 0)


async def _undisturbed(estate: Estate) -> list[str]:
    """The steps of a life that nobody ends."""
    steps: list[str] = []
    path = estate.ledger("undisturbed")
    async with rotation_rig(estate.anvil, estate.world, path=path) as rig:
        watch(rig, lambda _name: None, steps.append)
        await rotate_to_the_end(rig)
    await _assert_finished(estate, path)
    await estate.again()
    return steps


async def _assert_finished(estate: Estate, path: Path, *, rest_of_coin: int = 0) -> None:
    """Everything but listed dust arrived, nothing was done twice, and the old one signs no more."""
    async with rotation_rig(estate.anvil, estate.world, path=path) as rig:
        await rig.services.accounts.ensure_open(OLD)
        after, left = await rig.holdings(NEW_ADDRESS), await rig.holdings(OLD_ADDRESS)
        (rotation,) = await rig.ledger.rotations()
        arrived = {symbol: after[symbol] - estate.before[symbol] for symbol in FUNDS}
        assert arrived == {**dict.fromkeys(FUNDS, 0), **estate.tokens}
        assert {symbol: left[symbol] for symbol in FUNDS} == dict.fromkeys(FUNDS, 0)
        assert left["ETH"] < 10**14
        assert rotation.dust == f"{left['ETH']} wei"
        assert after["ETH"] - estate.before["ETH"] > NATIVE - 10**16
        assert await rig.allowances(OLD_ADDRESS) == [0] * 6
        await _assert_signed_once(estate, rig, rest_of_coin)
        assert rig.state(OLD) is AccountState.RETIRED
        assert rig.services.accounts.view(OLD).successor == NEW
        with pytest.raises(PreconditionError) as refused:
            await rig.ask("of-a-retired-account")
        assert refused.value.reason is FailReason.ACCOUNT_RETIRED
    assert verify(trail_of(path)).problem is None


async def _assert_signed_once(estate: Estate, rig: RotationRig, rest_of_coin: int) -> None:
    """One payload for a nonce, and the chain has each of them and nothing else."""
    signed = [record for record in await rig.drained() if record.state is not SlotState.RELEASED]
    moves = estate.allowances + len(estate.tokens) + 1
    assert len({record.nonce for record in signed}) == len(signed)
    assert moves <= len(signed) <= moves + rest_of_coin
    sent = await _sent(estate)
    assert sent == [record.unsigned.payload.to for record in signed]
    assert set(sent) == {NEW_ADDRESS, *map(rig.world.token, estate.tokens)}


async def _sent(estate: Estate) -> list[str]:
    """Targets of everything that the old account sent, by the chain."""
    head = int(str((await estate.anvil.head())["number"]), 16)
    blocks = await asyncio.gather(
        *(
            estate.anvil.rpc("eth_getBlockByNumber", hex(number), True)
            for number in range(estate.start + 1, head + 1)
        )
    )
    sent = []
    for block in blocks:
        assert isinstance(block, dict)
        transactions = block["transactions"]
        assert isinstance(transactions, list)
        sent += [
            str(each["to"]).lower()
            for each in transactions
            if isinstance(each, dict) and str(each["from"]).lower() == OLD_ADDRESS
        ]
    return sent


def _on_disk(folder: Path) -> dict[str, bytes]:
    """What a restart finds; SQLite rebuilds the index of its log (-shm) from the log."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
