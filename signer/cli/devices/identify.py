"""`airlock-signer devices identify`: makes a device show something harmless, to tell it from another."""

from signer.adapters.device.address_reader import AddressReader, FoundKey
from signer.cli.command import Arguments, Subparsers
from signer.cli.devices.dialog import attended, tell, watch
from signer.cli.devices.paths import ETHEREUM, SOLANA, first_path
from signer.cli.devices.which import Chosen, add_which, chosen, reader_of
from signer.cli.exit_codes import ExitCode
from signer.domain.errors import PreconditionError, RejectedError
from signer.domain.reasons import DenyReason, FailReason


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("identify", help="have the device show an address of its own, to find it")
    add_which(parser)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    which = chosen(arguments)
    found = attended(_identify(which))
    print(f"{which.known or which.kind}: {which.where} is the device that showed {found.shown}")
    return ExitCode.OK


async def _identify(which: Chosen) -> FoundKey:
    async with reader_of(which) as reader:
        found = await _any_key(reader)
        tell(f"look for the device that shows {found.shown}, and press a button there: any answer will do")
        try:
            await reader.show(found, watch)
        except RejectedError as error:
            if error.reason is not DenyReason.REJECTED_ON_DEVICE:
                raise
        return found


async def _any_key(reader: AddressReader) -> FoundKey:
    """The first account of Ethereum; of Solana where a Ledger has that application open."""
    try:
        return await reader.read(ETHEREUM, first_path(ETHEREUM))
    except PreconditionError as error:
        if error.reason is not FailReason.DEVICE_WRONG_APP:
            raise
        try:
            return await reader.read(SOLANA, first_path(SOLANA))
        except PreconditionError:
            raise error from None
