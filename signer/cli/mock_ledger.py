"""`airlock-signer mock-device ledger`: a Ledger on TCP and a scripted person; stdin presses buttons."""

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from signer.adapters.dev_key.derivation import TEST_MNEMONIC
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.mock_lines import say
from signer.domain.errors import ConfigurationError
from signer.mock.devices.ledger.apdu import Review
from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import Act, Person, Press, load_acts, scripted
from signer.mock.devices.ledger.server import LedgerServer

_APPLICATIONS = ("Ethereum", "Solana")


def add_to(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "ledger",
        help="a Ledger with the applications Ethereum 1.22.0 and Solana 1.9.0, on 127.0.0.1",
        epilog=f"stdin takes one command a line: {', '.join(_commands(LedgerDevice()))}, quit",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--app", choices=(*_APPLICATIONS, "none"), default="Ethereum", help="open application"
    )
    parser.add_argument("--blind-signing", action="store_true", help="switched on in both applications")
    parser.add_argument(
        "--person",
        choices=[each.value for each in Press],
        default="ignore",
        help="what they do with a review",
    )
    parser.add_argument("--late-ms", type=int, default=3_000, help="how long a late person takes")
    parser.add_argument(
        "--script",
        metavar="FILE",
        type=Path,
        help='JSON, as [{"press": "late", "ms": 5000}, {"press": "reject"}]',
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    device = LedgerDevice(
        app=None if arguments.app == "none" else arguments.app,
        person=_telling(_person(arguments)),
        mnemonic=TEST_MNEMONIC,
    )
    device.blind(on=bool(arguments.blind_signing))
    try:
        with LedgerServer(device, port=arguments.port) as server:
            # The first line on stdout tells a test harness where to connect.
            say({"listening": server.address, "app": device.app})
            _obey(device)
    except (OSError, OverflowError) as error:
        text = f"--port {arguments.port}: {error}; allowed is a free port of 127.0.0.1, or 0"
        raise ConfigurationError(text) from None
    return ExitCode.OK


def _person(arguments: Arguments) -> Person:
    habit = Act(press=Press(arguments.person), ms=arguments.late_ms)
    acts = load_acts(arguments.script) if arguments.script else []
    return scripted(acts, then=habit)


def _telling(person: Person) -> Person:
    def tell(review: Review) -> Act:
        act = person(review)
        shown = {"review": review.title, "screens": list(review.screens), "person": act.press.value}
        say(shown)
        return act

    return tell


def _obey(device: LedgerDevice) -> None:
    """Do what stdin says, until `quit`; at its end the device stays, until the process is stopped."""
    commands = _commands(device)
    for line in sys.stdin:
        words = " ".join(line.split())
        if words == "quit":
            return
        if words in commands:
            done = commands[words]()
            say({"did": words, "pressed": done is not False})
        elif words:
            say({"unknown": words[:80], "allowed": [*commands, "quit"]})
    signal.pause()


def _commands(device: LedgerDevice) -> Mapping[str, Callable[[], object]]:
    def locked(*, on: bool) -> None:
        device.locked = on

    return {
        "approve": device.approve,
        "reject": device.reject,
        "unplug": device.unplug,
        "plug": lambda: device.plug(app=None),
        "lock": lambda: locked(on=True),
        "unlock": lambda: locked(on=False),
        "drop": device.drop,
        "crash": device.crash,
        "blind on": lambda: device.blind(on=True),
        "blind off": lambda: device.blind(on=False),
        "dashboard": lambda: device.open_app(None),
        **{f"open {name}": _opener(device, name) for name in _APPLICATIONS},
    }


def _opener(device: LedgerDevice, name: str) -> Callable[[], None]:
    return lambda: device.open_app(name)
