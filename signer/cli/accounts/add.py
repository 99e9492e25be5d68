"""`airlock-signer accounts add`: an account on a device, once a person has confirmed its address there.

Prints its tables for signer.toml; with --write it appends them. Nothing is written that was not confirmed.
"""

from pathlib import Path

from signer.adapters.device.address_reader import FoundKey
from signer.cli.accounts.tables import NewAccount, tables_of
from signer.cli.accounts.write import append
from signer.cli.command import Arguments, Subparsers
from signer.cli.devices.dialog import attended, compare, tell
from signer.cli.devices.paths import add_path
from signer.cli.devices.which import Chosen, add_which, chosen, reader_of
from signer.cli.exit_codes import ExitCode
from signer.cli.vault.account_options import wallet
from signer.domain.errors import ConfigurationError
from signer.settings import load


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "add",
        help="pin an account on a Ledger or Trezor",
        description="Reads the address at a path and has a person confirm it on the device. Prints the "
        "tables for signer.toml, or with --write appends them to the file that --settings names.",
    )
    add_which(parser, by_name=False)
    add_path(parser, chain_required=True)
    parser.add_argument("--wallet", required=True, type=wallet, help="wallet that the account belongs to")
    parser.add_argument(
        "--name", dest="new_name", type=wallet, help="of the device in signer.toml, where it is not there yet"
    )
    parser.add_argument("--write", action="store_true", help="append to the file of --settings")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    settings: Path | None = arguments.settings
    if arguments.write and settings is None:
        raise ConfigurationError("--write: needs --settings FILE, the file to append to")
    which = _device(arguments)
    found = attended(_confirmed(which, arguments))
    text = tables_of(_account(which, found, arguments))
    if settings is None or not arguments.write:
        print(text, end="")
    else:
        append(settings, text)
        print(f"{settings}: has the account {found.account} of the wallet {arguments.wallet}, as its last")
    _tell_the_rest(found)
    return ExitCode.OK


def _device(arguments: Arguments) -> Chosen:
    """As the settings have it, or as they will: its own options belong to devices that are not there yet."""
    which = chosen(arguments)
    if which.known is not None and arguments.new_name not in {None, which.known}:
        raise ConfigurationError(
            f"--name {arguments.new_name}: {which.where} is {which.known} in the settings"
        )
    return which


async def _confirmed(which: Chosen, arguments: Arguments) -> FoundKey:
    async with reader_of(which) as reader:
        found = await reader.read(arguments.chain, arguments.path)
        _refuse_known(found, arguments.settings)
        await compare(reader, found)
        return found


def _refuse_known(found: FoundKey, settings: Path | None) -> None:
    if settings is not None and found.account in {each.account_id for each in load(settings).accounts}:
        raise ConfigurationError(f"{settings}: has the account {found.account} already; one table is allowed")


def _account(which: Chosen, found: FoundKey, arguments: Arguments) -> NewAccount:
    name: str = which.known or arguments.new_name or which.kind
    return NewAccount(
        found=found,
        wallet=arguments.wallet,
        kind=which.kind,
        device=name,
        table=None if which.known is not None else which.device,
        lock_file=arguments.lock_file or Path(f"{name}.lock"),
    )


def _tell_the_rest(found: FoundKey) -> None:
    tell(
        f"next: a table [[accounts]] for {found.account} in the policy (without one it denies everything), "
        "and grants for the clients that may use it. Then airlock-signer doctor, and start the signer anew"
    )
