"""Credentials of paired devices (THP, Safe 7): a file that only its owner may read. Never shown or logged."""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from signer.adapters.whole_file import alone_with, replace
from signer.domain.errors import ConfigurationError

_MAX_BYTES = 64 * 1024
_HEX = re.compile(r"([0-9a-f]{2}){1,512}")
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCredential:
    """This computer's key for one device, and the device's word for it. Only `trezor_pubkey` is for all eyes.

    `autoconnect`: the device asks no person when this computer comes back after a restart.
    """

    trezor_pubkey: bytes
    host_privkey: bytes = field(repr=False)
    credential: bytes = field(repr=False)
    autoconnect: bool = False


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    trezor_pubkey: str
    host_privkey: SecretStr
    credential: SecretStr
    autoconnect: bool = False


_FILE = TypeAdapter(list[_Entry])


def read_credentials(path: Path | None) -> Sequence[HostCredential]:
    """What pairing stored; nothing without a file. Raises ConfigurationError, never quoting it."""
    if path is None:
        return ()
    try:
        # Not blocking: a pipe in its place would keep the thread of the device for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}; allowed is a file") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise ConfigurationError(f"{path}: mode is {stat.filemode(mode)}; allowed is a file of mode 0600")
    try:
        return tuple(_credential(entry) for entry in _FILE.validate_json(content))
    except (ValidationError, ValueError):
        # The causes quote what they found: the keys.
        raise ConfigurationError(f"{path}: holds no credentials; pair the device again") from None


def store_credential(path: Path, credential: HostCredential) -> None:
    """Add one, or replace that of the same device. The file is whole at every instant, and of mode 0600.

    Raises ConfigurationError.
    """
    try:
        _store(path, credential)
    except OSError as error:
        raise ConfigurationError(_cannot_be_written(path, error.strerror)) from None


def require_storable(path: Path) -> None:
    """Raise ConfigurationError where `store_credential` would: before a person is asked for anything."""
    read_credentials(path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(_cannot_be_written(path, "its folder cannot be written"))


def _store(path: Path, credential: HostCredential) -> None:
    with alone_with(path):
        kept = [each for each in read_credentials(path) if each.trezor_pubkey != credential.trezor_pubkey]
        text = ",\n ".join(_as_json(each) for each in (*kept, credential))
        replace(path, f"[{text}]\n".encode(), mode=0o600)


def _cannot_be_written(path: Path, why: str | None) -> str:
    return f"{path}: cannot be written: {why}; allowed is a file in a folder of the signer"


def _credential(entry: _Entry) -> HostCredential:
    return HostCredential(
        trezor_pubkey=_bytes(_KEY, entry.trezor_pubkey),
        host_privkey=_bytes(_KEY, entry.host_privkey.get_secret_value()),
        credential=_bytes(_HEX, entry.credential.get_secret_value()),
        autoconnect=entry.autoconnect,
    )


def _bytes(shape: re.Pattern[str], text: str) -> bytes:
    if not shape.fullmatch(text):
        raise ValueError("hex digits are allowed")
    return bytes.fromhex(text)


def _as_json(credential: HostCredential) -> str:
    fields = (
        ("trezor_pubkey", credential.trezor_pubkey),
        ("host_privkey", credential.host_privkey),
        ("credential", credential.credential),
    )
    texts = [f'"{name}": "{value.hex()}"' for name, value in fields]
    return "{" + ", ".join((*texts, f'"autoconnect": {str(credential.autoconnect).lower()}')) + "}"
