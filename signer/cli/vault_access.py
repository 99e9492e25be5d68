"""How a command reaches Vault on behalf of a person: [vault] of the settings, and a token from a file."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.connection import Target
from signer.adapters.vault.given_token import open_with_token, read_token
from signer.cli.command import Arguments
from signer.settings import VaultPlace, load_vault_place

PERSON_WAITS_MS = 30_000
"""A person's command may wait for more than a signature: Vault makes an RSA key before the first import."""


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--token-file`. There is no option for the token itself, and no variable."""
    parser.add_argument(
        "--config", required=True, metavar="FILE", type=Path, help="signer.toml; only its [vault] is read"
    )
    parser.add_argument(
        "--token-file",
        required=True,
        metavar="FILE|FD",
        help="where your Vault token is: a file of mode 0600, or the number of an open file descriptor",
    )


@asynccontextmanager
async def person_vault(arguments: Arguments) -> AsyncIterator[tuple[VaultApi, VaultPlace]]:
    """Vault under the person's token, and what lies where in it.

    Raises ConfigurationError for settings and token file, UnavailableError for Vault.
    """
    config: Path = arguments.config
    token_file: str = arguments.token_file
    place = load_vault_place(config)
    target = Target(
        address=place.address,
        ca=place.ca,
        namespace=place.namespace,
        timeout_ms=max(place.timeout_ms, PERSON_WAITS_MS),
    )
    async with open_with_token(target, read_token(token_file), clock=SystemClock(), log=_NoLog()) as vault:
        yield vault, place


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens: a command tells by what it prints and by its exit code."""
