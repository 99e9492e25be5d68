"""A signer killed at any instant: no nonce signed twice, no signature lost, no slot leaked or unrecorded."""

import asyncio
import json
import random
import sqlite3
import sys
from pathlib import Path

import pytest

from signer.adapters.audit_file import AuditFile, verify
from signer.adapters.sqlite import SqliteLedger
from signer.domain.budget import FEE
from signer.domain.slots import SlotState
from signer.domain.transactions import IdempotencyKey
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import ACCOUNT, CLIENT, TOKEN_USE, token_limit, trail_of, transaction_id

CHILD = Path(__file__).with_name("ledger_child.py")
ROOT = Path(__file__).parents[2]
RANDOM_ROUNDS = 30
KILL_POINTS = [
    f"{when}:{kind}:{nth}"
    for kind, nth in (("reserve", 3), ("mark", 3), ("release", 1), ("broadcast", 1))
    for when in ("before", "after")
]
WITHIN = "within:reserve:3"  # the trail is durable, the slot is not


async def _run_and_kill(path: Path, seed: str, point: str | None, lives_s: float) -> list[list[str]]:
    """Lines that the child said before it died by SIGKILL."""
    arguments = [str(CHILD), str(path), seed, *([] if point is None else [point])]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stderr is not None
    said = [await child.stdout.readline()]
    if point is None:
        await asyncio.sleep(lives_s)
        child.kill()
    said += (await child.stdout.read()).splitlines()
    complaint = (await child.stderr.read()).decode()
    status = await child.wait()
    assert status == -9, complaint
    return [line.decode().split() for line in said]


async def _check(path: Path, said: list[list[str]]) -> None:
    """Reopen the file and hold it against what the child was told and against the invariants."""
    clock = FakeClock()
    told = {int(words[1]) for words in said if words[0] == "signed"}
    async with SqliteLedger(path, clock) as ledger:
        for words in said:
            if words[0] != "signed":
                continue
            found = await ledger.find(CLIENT, IdempotencyKey(words[4]))
            assert found is not None
            assert found.signed is not None
            assert (found.nonce, found.signed.raw.hex()) == (int(words[2]), words[3])
        for record in ledger.released_at_start:
            # A slot that was released had never been answered.
            assert int(record.id, 16) not in told
        for words in said:
            record_now = await ledger.get(transaction_id(int(words[1]))) if len(words) > 1 else None
            if words[0] == "released":
                assert record_now is not None
                assert record_now.state is SlotState.RELEASED
        status = await ledger.account(ACCOUNT)
        used = (await ledger.usage(ACCOUNT, [token_limit(1)], clock.now()))[0].used
    if status is not None:
        _check_invariants(path, status.next_nonce, status.free_nonces, used)
    await _check_trail(path)


def _check_invariants(path: Path, next_nonce: int, free: tuple[int, ...], used: int) -> None:
    connection = sqlite3.connect(path)
    taken = [
        nonce for (nonce,) in connection.execute("SELECT nonce FROM transactions WHERE state <> 'released'")
    ]
    (reserved,) = connection.execute("SELECT count(*) FROM transactions WHERE state = 'reserved'").fetchone()
    charged = connection.execute(
        "SELECT transaction_id FROM charges WHERE resource = ? ORDER BY 1", (TOKEN_USE,)
    ).fetchall()
    fees = connection.execute(
        "SELECT transaction_id FROM charges WHERE resource = ? ORDER BY 1", (FEE,)
    ).fetchall()
    alive = connection.execute("SELECT id FROM transactions WHERE state <> 'released' ORDER BY 1").fetchall()
    connection.close()

    assert len(taken) == len(set(taken))  # 1: one signature per nonce
    assert sorted([*taken, *free]) == list(range(next_nonce))  # 2: contiguous, free ones known
    assert reserved == 0  # 3: nothing reserved survives
    assert charged == fees == alive  # 4: budget exactly with what is alive
    assert used == 100 * len(alive)


async def _check_trail(path: Path) -> None:
    """Every slot that ever was has its one line in a whole trail, and was recorded with its own nonce."""
    slots, lines = _slots(path), await _recorded(path)

    assert len(lines) == len(set(lines))
    assert slots <= set(lines)


def _slots(path: Path) -> set[tuple[str, int]]:
    connection = sqlite3.connect(path)
    slots = set(connection.execute("SELECT id, nonce FROM transactions"))
    connection.close()
    return slots


async def _recorded(path: Path) -> list[tuple[str, int]]:
    """Transaction and nonce of every line, after an opening that moved a torn one aside."""
    trail = trail_of(path)
    async with AuditFile(trail, FakeClock()) as opened:
        assert verify(trail, opened.head).problem is None
    records = [json.loads(line) for line in trail.read_bytes().splitlines()[1:]]
    return [(record["transaction"], record["nonce"]) for record in records]


@pytest.mark.parametrize("point", KILL_POINTS)
async def test_a_signer_killed_at_a_commit_keeps_every_promise(tmp_path: Path, point: str) -> None:
    path = tmp_path / "ledger.db"
    for generation in range(2):
        said = await _run_and_kill(path, f"{point}/{generation}", point, 0)

        await _check(path, said)


async def test_a_signer_killed_between_the_record_and_its_slot_takes_the_nonce_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    said = await _run_and_kill(path, "first", WITHIN, 0)
    await _check(path, said)
    decided_only = set(await _recorded(path)) - _slots(path)
    said = await _run_and_kill(path, "second", WITHIN, 0)
    await _check(path, said)

    ((_, nonce),) = decided_only
    assert nonce in {nonce for _, nonce in _slots(path)}


@pytest.mark.timeout(300)
async def test_a_signer_killed_at_random_instants_keeps_every_promise(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    rng = random.Random(20261121)
    signatures = 0
    for generation in range(RANDOM_ROUNDS):
        said = await _run_and_kill(path, str(generation), None, rng.uniform(0.0, 0.12))
        await _check(path, said)
        signatures += sum(words[0] == "signed" for words in said)

    assert signatures > RANDOM_ROUNDS
