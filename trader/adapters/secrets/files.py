"""A secret in a file of its own. Never quotes its content."""

from pathlib import Path

from pydantic import SecretStr

from trader.domain.errors import ConfigurationError

_MAX_CHARACTERS = 16_384
_ALLOWED = "a readable file with one line is allowed"


def read_secret_file(path: Path) -> SecretStr:
    """First line of the file. Raises ConfigurationError naming the file and what is allowed."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_MAX_CHARACTERS + 1).strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigurationError(f"{path}: {why}; {_ALLOWED}") from None
    if not line:
        raise ConfigurationError(f"{path}: empty; {_ALLOWED}")
    if len(line) > _MAX_CHARACTERS:  # a part of it would be refused elsewhere, and nobody would know why
        raise ConfigurationError(f"{path}: longer than {_MAX_CHARACTERS} characters; {_ALLOWED}")
    return SecretStr(line)
