"""`airlock-signer audit public-key`: the public keys of the checkpoints, once, for a file kept elsewhere."""

import asyncio

from signer.adapters.audit_file.public_keys import PublicKeys, dump
from signer.adapters.vault.checkpoint_key import public_keys
from signer.adapters.vault.transit import Transit
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import add_access, person_vault
from signer.domain.errors import ConfigurationError


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "public-key", help="print the public keys that sign checkpoints, for `audit verify --public-key FILE`"
    )
    add_access(parser)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    print(dump(asyncio.run(read_public_keys(arguments))), end="")
    return ExitCode.OK


async def read_public_keys(arguments: Arguments) -> PublicKeys:
    """From Vault, with the settings and the token that the arguments name."""
    async with person_vault(arguments) as (vault, place):
        if place.checkpoint_key is None:
            raise ConfigurationError(f"{arguments.config}: [vault] has no checkpoint_key")
        return await public_keys(Transit(vault, place.transit_mount), place.checkpoint_key)
