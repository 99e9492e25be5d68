"""`airlock-signer mock-device ledger` as a program: shows reviews, obeys its script and its stdin."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signer.adapters.ledger_device.backend import LedgerBackend, LedgerPlace
from signer.domain.errors import PreconditionError, RejectedError
from signer.domain.reasons import FailReason
from tests.integration.devices.ledger_rig import EVM, KEYS, PATIENT, Events, transaction
from tests.testbed.processes import ROOT


class Program:
    """The running command; `tell` writes a line, `hear` reads one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def hear(self) -> dict[str, object]:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            heard: dict[str, object] = json.loads(await self.process.stdout.readline())
            return heard


@asynccontextmanager
async def _program(*arguments: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "signer", "mock-device", "ledger"),
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_rehearsal_with_a_script_and_with_buttons(tmp_path: Path) -> None:
    script = tmp_path / "acts.json"
    script.write_text('[{"press": "approve"}, {"press": "late", "ms": 20}, {"press": "reject"}]')
    async with _program("--blind-signing", "--script", str(script)) as program:
        listening = str((await program.hear())["listening"])
        place = LedgerPlace(name="rehearsal", where=f"tcp:{listening}", lock_file=tmp_path / "lock")
        backend = LedgerBackend(KEYS, place, log=Events(), patience=PATIENT)

        await backend.sign_evm(EVM, transaction(1))
        first = await program.hear()
        await backend.sign_evm(EVM, transaction(2))
        await program.hear()
        with pytest.raises(RejectedError):
            await backend.sign_evm(EVM, transaction(3))
        await program.hear()
        asking = asyncio.create_task(backend.sign_evm(EVM, transaction(4)))
        ignored = await program.hear()
        await program.tell("approve")
        await asking
        pressed = await program.hear()
        await program.tell("open Solana")
        opened = await program.hear()
        with pytest.raises(PreconditionError) as caught:
            await backend.sign_evm(EVM, transaction(5))
        await program.tell("dance")
        unknown = await program.hear()
        await program.tell("quit")

        assert await program.process.wait() == 0
        await backend.aclose()
    assert (first["review"], first["person"], ignored["person"]) == (
        "Review transaction",
        "approve",
        "ignore",
    )
    assert pressed == {"did": "approve", "pressed": True}
    assert opened["did"] == "open Solana"
    assert unknown["unknown"] == "dance"
    assert caught.value.reason is FailReason.DEVICE_WRONG_APP


@pytest.mark.parametrize(
    "acts", ['{"press": "approve"}', '[{"press": "dance"}]', '[{"press": "late", "ms": -1}]', "no JSON"]
)
async def test_a_script_that_is_not_understood_is_named(tmp_path: Path, acts: str) -> None:
    script = tmp_path / "acts.json"
    script.write_text(acts)

    async with _program("--script", str(script)) as program:
        _, errors = await program.process.communicate()

        assert program.process.returncode == 3
        assert str(script) in errors.decode()
