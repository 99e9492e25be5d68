"""`airlock-signer devices address`: which account is at a path, compared on the device if wanted."""

import json

from signer.adapters.device.address_reader import FoundKey
from signer.cli.command import Arguments, Subparsers
from signer.cli.devices.dialog import attended, compare
from signer.cli.devices.paths import add_path, chain_of_path
from signer.cli.devices.which import Chosen, add_which, chosen, reader_of
from signer.cli.exit_codes import ExitCode
from signer.domain.accounts import ChainName


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("address", help="print the account (CAIP-10) at a path")
    add_which(parser)
    add_path(parser, chain_required=False)
    parser.add_argument("--show", action="store_true", help="show it on the device, and wait for the person")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: str = arguments.path
    on: ChainName = arguments.chain or chain_of_path(path)
    found = attended(_read(chosen(arguments), on, path, shown=arguments.show))
    if arguments.json:
        seen = {"account": found.account, "address": found.shown, "path": path, "confirmed": arguments.show}
        root = {} if found.fingerprint is None else {"fingerprint": found.fingerprint.hex()}
        print(json.dumps({**seen, **root}))
    else:
        print(f"{found.chain}:{found.shown}")
    return ExitCode.OK


async def _read(which: Chosen, on: ChainName, path: str, *, shown: bool) -> FoundKey:
    async with reader_of(which) as reader:
        found = await reader.read(on, path)
        if shown:
            await compare(reader, found)
        return found
