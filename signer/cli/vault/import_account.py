"""`airlock-signer vault import-account`: a key that exists, from a file descriptor. Never from argv."""

import asyncio

from signer.adapters.process_memory import forbid_dumps
from signer.adapters.vault import new_solana_account
from signer.adapters.vault.backend import VaultKey
from signer.adapters.vault.key_input import MAX_TEXT_BYTES, read_key
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.transit import Transit
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault.account_options import account, add_shared, new_accounts, show
from signer.cli.vault_access import add_access, person_vault
from signer.domain.accounts import AccountId
from signer.domain.errors import ConfigurationError

_SOLANA = "solana:"


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "import-account",
        help="bring the key of an existing account into Vault",
        description="Reads 64 hex digits from a file descriptor: the private key of an EVM account, the seed "
        "of a Solana account. Refuses a key that is not that of --account. Whoever had the key still has "
        "it: prefer create-account, and move the funds.",
    )
    add_access(parser)
    parser.add_argument(
        "--account",
        required=True,
        metavar="CAIP-10",
        type=account,
        help="the account that the key must be of",
    )
    parser.add_argument(
        "--key-fd", required=True, metavar="N", type=int, help="open file descriptor, as in 3< FILE"
    )
    add_shared(parser)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    forbid_dumps()
    show(asyncio.run(_import(arguments)), arguments)
    return ExitCode.OK


async def _import(arguments: Arguments) -> VaultKey:
    expected: AccountId = arguments.account
    name: str | None = arguments.solana
    if expected.startswith(_SOLANA) != (name is not None):
        raise ConfigurationError(f"--account {expected}: --solana NAME belongs to a Solana account only")
    with LockedBuffer(MAX_TEXT_BYTES) as buffer:
        key = read_key(arguments.key_fd, buffer)
        async with person_vault(arguments) as (vault, place):
            if name is not None:
                transit = Transit(vault, place.transit_mount)
                return await new_solana_account.take(transit, expected, name, key)
            await new_accounts(vault, place).take(expected, key)
            return VaultKey(account=expected)
