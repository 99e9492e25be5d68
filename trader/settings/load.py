"""Reads a settings file. Every error names file, line, key and what is allowed, and quotes no value.

Relative paths are relative to the file's own folder.
"""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from trader.domain.errors import ConfigurationError
from trader.domain.secret_refs import ALLOWED, FILE
from trader.domain.toml_lines import line_of, spell
from trader.settings.literal_secrets import literal_secret
from trader.settings.model import Settings

_PATH_KEYS = frozenset({"ca_file", "cert_file", "key_file", "embedded", "token_file", "secret_id_file"})


def load(path: Path) -> Settings:
    """Read and check a file. Raises ConfigurationError naming file, line, key and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; a readable TOML file is allowed") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8 text; a TOML file is allowed") from None
    try:
        parsed = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if literals := [*_literals(path, text, parsed)]:
        raise ConfigurationError("\n".join(literals))
    try:
        return Settings.model_validate(_absolute(parsed, path.resolve().parent))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_problems(path, text, error))) from None


def _literals(path: Path, text: str, document: object) -> Iterator[str]:
    for location, value in _texts(document, ()):
        if (kind := literal_secret(value)) is not None:
            place = f"{path}:{_line_with(text, location, value)}: {spell(location)}"
            yield f"{place}: {kind} in this file is refused; {ALLOWED}"


def _line_with(text: str, location: tuple[str | int, ...], value: str) -> int:
    """Where the value itself stands, also in an array over several lines or a table of an array's entry."""
    nearest, begin = line_of(text, location) or 1, value.strip().partition("\n")[0]
    lines = enumerate(text.splitlines()[nearest - 1 :], start=nearest)
    return next((number for number, line in lines if begin in line), nearest)


def _texts(node: object, location: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, str):
        yield location, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*location, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _texts(value, (*location, number))


def _absolute(node: object, folder: Path) -> object:
    """The same document with every path made absolute, before the model sees it."""
    if isinstance(node, list):
        return [_absolute(item, folder) for item in node]
    if not isinstance(node, dict):
        return node
    resolved: dict[object, object] = {}
    for key, value in node.items():
        if isinstance(value, str) and key in _PATH_KEYS:
            resolved[key] = str(folder / value)
        elif isinstance(value, str) and value.startswith(FILE):
            resolved[key] = f"{FILE}{folder / value.removeprefix(FILE)}"
        else:
            resolved[key] = _absolute(value, folder)
    return resolved


def _problems(path: Path, text: str, error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        line = line_of(text, problem["loc"]) or 1
        message = problem["msg"].removeprefix("Value error, ")
        yield f"{path}:{line}: {spell(problem['loc']) or 'settings'}: {message}"
