"""`airlock-signer vault create-account`: a key that nobody has seen. Prints its address, never the key."""

import asyncio

from signer.adapters.process_memory import forbid_dumps
from signer.adapters.vault import new_solana_account
from signer.adapters.vault.backend import VaultKey
from signer.adapters.vault.transit import Transit
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault.account_options import account, add_shared, chain, new_accounts, show
from signer.cli.vault_access import add_access, person_vault
from signer.domain.accounts import AccountId, ChainName, chain_of
from signer.domain.errors import ConfigurationError

_SOLANA = "solana:"


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "create-account",
        help="make an account whose key is in Vault, or wrapped by it",
        description="EVM: makes a key in locked memory, wraps it by Transit, stores the envelope. Solana: "
        "makes an ed25519 key inside Transit. Prints the account and its table for signer.toml.",
    )
    add_access(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--chain", metavar="CAIP-2", type=chain, help="eip155:1; with --solana, solana:…")
    which.add_argument(
        "--successor-of",
        metavar="CAIP-10",
        type=account,
        help="the EVM account that takes over from this one; again gives the same",
    )
    add_shared(parser)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    forbid_dumps()
    show(asyncio.run(_create(arguments)), arguments)
    return ExitCode.OK


async def _create(arguments: Arguments) -> VaultKey:
    name: str | None = arguments.solana
    predecessor: AccountId | None = arguments.successor_of
    on: ChainName = arguments.chain if predecessor is None else chain_of(predecessor)
    if on.startswith(_SOLANA) != (name is not None):
        raise ConfigurationError(f"{on}: --solana NAME belongs to a Solana chain, and to no other")
    if predecessor is not None and name is not None:
        raise ConfigurationError("--successor-of makes EVM accounts; a Solana account is made with --chain")
    async with person_vault(arguments) as (vault, place):
        if name is not None:
            return await new_solana_account.create(Transit(vault, place.transit_mount), on, name)
        new = new_accounts(vault, place)
        if predecessor is not None:
            return VaultKey(account=await new.ensure_successor(predecessor))
        return VaultKey(account=await new.create(on))
