"""`airlock-signer mock-device trezor`: a Trezor on UDP and a scripted person; stdin presses buttons."""

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.mock_lines import say
from signer.domain.errors import ConfigurationError
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import FLAVOURS
from signer.mock.devices.trezor.person import Decision, Person, Press, Screen
from signer.mock.devices.trezor.script import Act, load_acts, scripted
from signer.mock.devices.trezor.udp import UdpServer

_PRESSES = get_args(Act.model_fields["press"].annotation)
_COMMANDS = ("approve", "reject", "unplug", "plug", "lock", "restart", "evict")


def add_to(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "trezor",
        help="a Trezor as its emulator is one (firmware 1.14.1 or 2.10.0; safe7 speaks THP), on 127.0.0.1",
        epilog=f"stdin takes one command a line: {', '.join(_COMMANDS)}, quit",
    )
    parser.add_argument("--port", type=int, default=0, help="UDP; 0 takes a free one")
    parser.add_argument("--model", choices=tuple(FLAVOURS), default="safe3")
    parser.add_argument("--pin", metavar="DIGITS", help="locks the device; the person knows it")
    parser.add_argument("--person", choices=_PRESSES, default="ignore", help="what they do with a request")
    parser.add_argument("--late-ms", type=int, default=3_000, help="how long a late person takes")
    parser.add_argument(
        "--script",
        metavar="FILE",
        type=Path,
        help='JSON, one act a request, as [{"press": "late", "ms": 5000}, {"press": "reject", "screen": 2}]',
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    device = TrezorDevice(
        mnemonic=TEST_MNEMONIC,
        flavour=FLAVOURS[arguments.model],
        person=_telling(_person(arguments)),
        pin=arguments.pin,
    )
    device.state.on_code = lambda code: say({"code": code})
    try:
        with UdpServer(device, port=arguments.port) as server:
            # The first line on stdout tells a test harness where to connect.
            fingerprint = device.root_fingerprint().hex()
            ready = {
                "listening": server.address,
                "where": f"udp:{server.address}",
                "fingerprint": fingerprint,
            }
            say(ready)
            _obey(device, server)
    except (OSError, OverflowError) as error:
        text = f"--port {arguments.port}: {error}; allowed is a free port of 127.0.0.1, or 0"
        raise ConfigurationError(text) from None
    return ExitCode.OK


def _person(arguments: Arguments) -> Person:
    habit = Act(press=arguments.person, ms=arguments.late_ms)
    acts = load_acts(arguments.script) if arguments.script else []
    return scripted(acts, then=habit)


def _telling(person: Person) -> Person:
    def tell(screen: Screen) -> Decision:
        decision = person(screen)
        shown = {
            "request": screen.request,
            "screen": screen.number,
            "name": screen.name,
            "shown": screen.shown,
            "person": decision.press.value,
        }
        say(shown)
        return decision

    return tell


def _obey(device: TrezorDevice, server: UdpServer) -> None:
    """Do what stdin says, until `quit`; at its end the device stays, until the process is stopped."""
    commands = _commands(device, server)
    for line in sys.stdin:
        word = line.strip()
        if word == "quit":
            return
        if word in commands:
            done = commands[word]()
            say({"did": word, "pressed": done is not False})
        elif word:
            say({"unknown": word[:80], "allowed": [*commands, "quit"]})
    signal.pause()


def _commands(device: TrezorDevice, server: UdpServer) -> Mapping[str, Callable[[], object]]:
    return {
        "approve": lambda: device.press(Press.APPROVE),
        "reject": lambda: device.press(Press.REJECT),
        "unplug": server.unplug,
        "plug": server.plug,
        "lock": device.lock,
        "restart": device.restart,
        "evict": device.evict_sessions,
    }
