"""Where a secret is, instead of the secret: `file:PATH` or `vault:MOUNT/PATH#FIELD`. Refuses everything else.

Pure: reads nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

FILE = "file:"
VAULT = "vault:"
ALLOWED = "file:PATH of a file that holds it, or vault:MOUNT/PATH#FIELD, is allowed"

_NAME = r"[A-Za-z0-9_.\-]+"
_VAULT = re.compile(rf"vault:(?P<path>{_NAME}(?:/{_NAME})+)#(?P<field>{_NAME})")
_MAX_CHARACTERS = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """The first line of a file."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultReference:
    """One field of what Vault answers at a path (mount first, without `data/` for KV version 2)."""

    path: str
    field: str


SecretReference: TypeAlias = FileReference | VaultReference


def is_reference(text: str) -> bool:
    """Whether the text wants to be a reference, well-formed or not."""
    return text.startswith((FILE, VAULT))


def parse_reference(text: str) -> SecretReference:
    """Read a reference. Raises ValueError saying what is allowed; never quotes the text."""
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"longer than {_MAX_CHARACTERS} characters; {ALLOWED}")
    if text.startswith(FILE) and len(text) > len(FILE):
        return FileReference(path=Path(text.removeprefix(FILE)))
    found = _VAULT.fullmatch(text)
    if found is None or any(part in {".", ".."} for part in found["path"].split("/")):
        raise ValueError(f"no reference to a secret; {ALLOWED}")
    return VaultReference(path=found["path"], field=found["field"])
