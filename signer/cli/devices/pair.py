"""`airlock-signer devices pair`: a Safe 7 learns to trust this computer. A person types the code it shows."""

import socket
from pathlib import Path

from signer.adapters.trezor_device.device import TrezorDevice
from signer.adapters.trezor_device.pairing import pair
from signer.cli.command import Arguments, Subparsers
from signer.cli.devices.dialog import may_be_given_up, tell
from signer.cli.devices.which import add_which, chosen
from signer.cli.exit_codes import ExitCode
from signer.domain.errors import ConfigurationError


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("pair", help="pair a Trezor Safe 7 with this computer")
    add_which(parser)
    parser.add_argument(
        "--credentials", metavar="FILE", type=Path, help="where the credential goes, without --settings"
    )
    parser.add_argument(
        "--ask-each-time", action="store_true", help="it asks its person once after each of its restarts"
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    which = chosen(arguments)
    if not isinstance(which.device, TrezorDevice):
        raise ConfigurationError(f"{which.where}: a Ledger needs no pairing")
    with may_be_given_up():
        paired = pair(
            which.device,
            ask_code=_ask_code,
            host_name=socket.gethostname(),
            app_name="airlock-signer",
            autoconnect=not arguments.ask_each_time,
            tell=tell,
        )
    again = "it will not ask again" if paired.autoconnect else "it asks once after each of its restarts"
    print(f"{which.where}: {paired.model} is paired, {again}; its credential is in {paired.credentials_file}")
    if which.known is None:
        print(f'for its [[trezors]] table: credentials = "{paired.credentials_file}"')
    return ExitCode.OK


def _ask_code() -> str:
    tell("the code that the Trezor shows:")
    try:
        return input()
    except EOFError:
        raise ConfigurationError("no code was typed: nothing is paired") from None
