"""A policy file and its guardian for a command. Reads them as the signer would."""

import asyncio
from pathlib import Path

from signer.adapters.policy_file import PolicyFile
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName, parse_guardian
from signer.domain.policy_statement import PolicyStatement
from signer.policy.load import load
from signer.service.policy_signature import statement_of


def read_policy(path: Path) -> bytes:
    """Return the bytes of the file. Raises ConfigurationError naming it."""
    return asyncio.run(PolicyFile(path).read())


def statement_to_sign(path: Path) -> PolicyStatement:
    """What a guardian signs for the file. Raises ConfigurationError for one that no signer would load."""
    return statement_of(load(read_policy(path), str(path)), str(path))


def read_guardian(text: str | None) -> GuardianName | None:
    """The guardian that `--guardian` names, if it does. Raises ConfigurationError."""
    try:
        return None if text is None else parse_guardian(text)
    except ValueError as error:
        raise ConfigurationError(f"--guardian: {error}") from None
