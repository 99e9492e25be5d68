"""The console in a real terminal, on a real signer with a Ledger: what it shows, and what its keys do.

`AIRLOCK_CAPTURE=1` writes the screen of a pending approval to docs/console.txt; otherwise that file must have
the same lines, whatever their figures.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protos.airlock.signer.v1 import signer_pb2 as pb
from signer.mock.devices.ledger.apdu import Review
from tests.e2e.asking import asking, swap
from tests.e2e.device_scene import DEVICE, DeviceScene
from tests.e2e.scene import Ended, command_line
from tests.e2e.test_device_signing import Client, Signing, client
from tests.testbed.processes import ROOT, Child
from tests.testbed.signer_program import PROGRAM, serving
from tests.testbed.terminal import Terminal
from tests.testbed.uniswap import UniswapState

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("signer")]

MAKE_IT = bool(os.environ.get("AIRLOCK_CAPTURE"))
CAPTURE = ROOT / "docs" / "console.txt"
LARGE = (100, 44)
ESCAPE, ENTER, UP, DOWN = "\x1b", "\r", "\x1b[A", "\x1b[B"


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="scene")
async def _scene(
    uniswap: UniswapState, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DeviceScene]:
    async with DeviceScene.open(uniswap, tmp_path_factory.mktemp("console"), approval_timeout_s=90) as scene:
        yield scene


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="signer")
async def _signer(scene: DeviceScene) -> AsyncIterator[Child]:
    async with scene.serve() as child:
        yield child


@contextlib.asynccontextmanager
async def console(
    scene: DeviceScene, *arguments: str, size: tuple[int, int] = LARGE, **env: str
) -> AsyncIterator[Terminal]:
    """`airlock-signer console`, connected."""
    where = ("--address", f"127.0.0.1:{scene.signer.admin_port}", "--pki", str(scene.signer.pki))
    columns, lines = size
    argv = (PROGRAM, "console", *where, *arguments)
    async with Terminal.running(argv, columns=columns, lines=lines, env=env) as terminal:
        await terminal.until(" connected ")
        yield terminal


def ask(one: Client, key: str) -> Signing:
    """As `one.ask`, with patience: it waits while a console starts on a slow machine."""

    async def asked() -> pb.SignEvmTransactionResponse:
        return await one.asker.stub.SignEvmTransaction(swap(one.scene.signer, key), timeout=120)

    return asyncio.ensure_future(asked())


async def test_a_pending_approval_is_shown_with_the_very_screens_of_the_device(
    scene: DeviceScene,
) -> None:
    async with client(scene) as one, console(scene) as terminal:
        signing = ask(one, "shown")
        review = await scene.shown()
        await terminal.until(f"{DEVICE}      ledger is reviewing, 1 waiting (Ethereum 1.22.0)")
        text = await terminal.until(lambda text: _shows(text, review) and _is_as_captured(text))
        scene.device.reject()
        await one.refused(signing)
        after = await terminal.until("REJECTED_ON_DEVICE")

    assert "pays      1 USDX" in text
    assert "gets      at least 0.498 ABC" in text
    assert re.search(r"slippage  \d+ bps below the best of pool_quote; 50 are allowed", text)
    assert "client    spiffe://airlock.local/trader by SignEvmTransaction" in text
    assert "WAITING FOR A PERSON: nothing" in after
    assert terminal.bells == 1
    if MAKE_IT:
        CAPTURE.write_text(f"{text.rstrip()}\n")


async def test_a_key_dismisses_what_waits_and_the_next_one_comes(scene: DeviceScene) -> None:
    async with client(scene) as one, console(scene, "--no-bell") as terminal:
        first = ask(one, "to_be_dismissed")
        await scene.shown()
        second = ask(one, "behind_it")
        await terminal.until("WAITING FOR A PERSON: 2")
        terminal.press(UP + "d")
        await terminal.until("Why?")
        terminal.press(f"who asked?{ENTER}")
        await terminal.until("y = yes, n = no")
        terminal.press("y")
        dismissed = await one.refused(first)
        await terminal.until("is dismissed")
        review = await scene.shown()
        await terminal.until(lambda text: "WAITING FOR A PERSON: 1" in text and _shows(text, review))
        terminal.press("d" + ENTER + "n" + "x")
        await terminal.until(lambda text: "yes" not in text)
        still_there = one.phases("behind_it")
        scene.device.reject()
        refused = await one.refused(second)

    assert dismissed[1] == ["DISMISSED_BY_OPERATOR"]
    assert refused[1] == ["REJECTED_ON_DEVICE"]
    assert still_there
    assert terminal.bells == 0
    acts = [line for line in scene.signer.audit.read_text().splitlines() if "DismissApproval" in line]
    assert len(acts) == 1
    assert "who asked?" in acts[0]


async def test_a_key_pauses_everything_and_another_one_resumes_it(scene: DeviceScene) -> None:
    async with client(scene) as one, asking(scene.signer) as asker, console(scene) as terminal:
        signing = ask(one, "paused_by_key")
        await scene.shown()
        await terminal.until("WAITING FOR A PERSON: 1")
        terminal.press(f"pdrill{ENTER}y")
        ended = await one.refused(signing)
        await terminal.until(lambda text: text.count("PAUSED: drill") == 2)
        reason = (await asker.state()).pause_reason
        terminal.press("r1y")
        await terminal.until(lambda text: "PAUSED: drill" not in text and "No account is paused now." in text)
        again = (await asker.state()).pause_reason

    assert ended[1] == ["ACCOUNT_PAUSED"]
    assert (reason, again) == ("drill", "")


async def test_a_small_window_and_one_that_changes_its_size(scene: DeviceScene) -> None:
    async with client(scene) as one, console(scene, size=(80, 24), NO_COLOR="1") as terminal:
        signing = ask(one, "small")
        review = await scene.shown()
        small = await terminal.until(lambda text: _shows(text, review) and "q quit" in text)
        terminal.resize(*LARGE)
        await terminal.until(lambda text: _shows(text, review) and "DECIDED LATELY" in text)
        terminal.press("?")
        await terminal.until("It confirms nothing")
        terminal.press(ESCAPE)
        await terminal.until("ON DEVICE")
        scene.device.reject()
        await one.refused(signing)

    assert all(len(line) <= 80 for line in small.split("\n"))
    assert re.search(r"\+\d+ lines  j/k", small)
    assert not re.search(rb"\x1b\[[0-9;]*\b3[0-7]m", terminal.written)


async def test_a_signer_that_goes_away_is_seen_and_comes_back_by_itself(
    scene: DeviceScene, signer: Child
) -> None:
    async with console(scene) as terminal:
        signer.kill()
        gone = await terminal.until("NOT CONNECTED")
        signer.start()
        await serving(scene.signer, signer)
        back = await terminal.until(" connected ")

    assert "WHAT STANDS BELOW IS OLD" in gone
    assert "NOT CONNECTED" not in back


async def test_after_control_c_the_terminal_is_as_it_was(scene: DeviceScene) -> None:
    script = 'before=$(stty -a); "$@"; echo "ended with $?"; [ "$before" = "$(stty -a)" ] && echo the same'
    where = ("--address", f"127.0.0.1:{scene.signer.admin_port}", "--pki", str(scene.signer.pki))
    argv = ("sh", "-c", script, "sh", PROGRAM, "console", *where)
    async with Terminal.running(argv) as terminal:
        await terminal.until(" connected ")
        terminal.press("\x03")
        text = await terminal.until("the same")

    assert "ended with 0" in text
    assert terminal.written.count(b"\x1b[?1049h") == terminal.written.count(b"\x1b[?1049l") == 1


async def test_without_a_terminal_or_without_a_grant_it_ends_with_a_reason(scene: DeviceScene) -> None:
    piped, pki = await _console_in_a_pipe(scene), scene.signer.pki
    where = ("--address", f"127.0.0.1:{scene.signer.admin_port}", "--ca", str(pki / "ca.pem"))
    argv = (
        PROGRAM,
        "console",
        *where,
        "--certificate",
        str(pki / "trader.pem"),
        "--key",
        str(pki / "trader.key"),
    )
    async with Terminal.running(argv) as terminal:
        code = await terminal.ended()
        await terminal.until(lambda text: "no grant for WatchApprovals" in text.replace("\n", ""))

    assert (piped.code, code) == (3, 5)
    assert "needs a terminal" in piped.err
    assert "PERMISSION_DENIED" in terminal.text


async def _console_in_a_pipe(scene: DeviceScene) -> Ended:
    where = ("--address", f"127.0.0.1:{scene.signer.admin_port}", "--pki", str(scene.signer.pki))
    return await command_line(PROGRAM, "console", *where)


def _shows(text: str, review: Review) -> bool:
    """Whether the screens of the device stand there, letter by letter, and nothing else among them."""
    return _on_console(text) == "".join("".join(review.screens).split())


def _on_console(text: str) -> str:
    """Everything under WILL SHOW THIS, without numbers of screens and blanks."""
    shown: list[str] = []
    for line in text.partition("WILL SHOW THIS")[2].split("\n")[1:]:
        if line.startswith(("--", "+", "j/k")) or not line.strip():
            break
        shown.append(re.sub(r"^ \d+ ", "", line))
    return "".join("".join(shown).split())


def _is_as_captured(text: str) -> bool:
    return MAKE_IT or _normal(CAPTURE.read_text()) == _normal(text)


def _normal(screen: str) -> list[str]:
    """Lines with every figure, address and hash made the same, blank ones left out."""
    lines = [
        re.sub(r"0x[0-9a-fA-F ]+|\b[0-9a-f]{4}\b|[0-9a-f]{8,}|[~0-9][0-9,.:]*", "#", line)
        for line in screen.split("\n")
    ]
    squeezed = [re.sub(r"[#+.\[\]! -]+", " ", line).strip() for line in lines]
    return [line for line in squeezed if line]
