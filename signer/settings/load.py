"""Reads `signer.toml` whole, or refuses naming line, key and what is allowed."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from signer.domain.errors import ConfigurationError
from signer.policy.lines import KeyPath, Lines, spell
from signer.settings.model import Settings
from signer.settings.paths import absolute
from signer.settings.texts import Strict
from signer.settings.vault import VaultPlace

Model = TypeVar("Model", bound=Strict)

_MAX_SETTINGS_BYTES = 1024 * 1024


def load(path: Path) -> Settings:
    """Read `path`. Relative paths in it are relative to its folder.

    Raises ConfigurationError naming the file, the line, the key and what is allowed.
    """
    return parse(_read(path), path)


def load_vault_place(path: Path) -> VaultPlace:
    """Read [vault] of `path`, without its login and whatever else is there or is not there yet."""
    text, document = _document(_read(path), path)
    table = document.get("vault")
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}:1: has no table [vault]; it says where Vault is")
    # The same files as the signer's own: a rotation that looked for envelopes in another folder would find
    # none, and shut out the version that opens those of the signer.
    place = absolute({**table, "login": None}, path.absolute().parent, "vault")
    assert isinstance(place, dict)  # noqa: S101 - a table stays a table
    del place["login"]
    return _validated(VaultPlace, place, path, text, below=("vault",))


def parse(raw: bytes, path: Path) -> Settings:
    """Parse the bytes of a settings file that lies (or would lie) at `path`."""
    text, document = _document(raw, path)
    return _validated(Settings, document, path, text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; allowed is a TOML file"
        ) from error


def _document(raw: bytes, path: Path) -> tuple[str, Mapping[str, object]]:
    if len(raw) > _MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"{path}: {len(raw)} bytes; at most {_MAX_SETTINGS_BYTES} are allowed")
    try:
        text = raw.decode()
        return text, tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error


def _validated(
    model: type[Model], table: Mapping[str, object], path: Path, text: str, *, below: KeyPath = ()
) -> Model:
    try:
        return model.model_validate(table, context={"folder": path.absolute().parent})
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        lines = Lines(text)
        inner = [item["loc"] for item in errors]
        problems = (
            f"{_place(path, (*below, *item['loc']), lines)}: {_text(item['type'], item['msg'])}"
            for item in errors
            if not (item["type"] == "too_short" and _is_echo(item["loc"], inner))
        )
        raise ConfigurationError("\n".join(problems)) from None


def _place(path: Path, location: KeyPath, lines: Lines) -> str:
    return f"{path}:{lines.of(location) or 1}: {spell(location) or 'settings'}"


def _text(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such key; allowed are the keys of docs/signer.example.toml"
    return message.removeprefix("Value error, ")


def _is_echo(location: KeyPath, others: list[KeyPath]) -> bool:
    """Whether a list is only "too short" because one of its items was refused."""
    return any(len(other) > len(location) and other[: len(location)] == location for other in others)
