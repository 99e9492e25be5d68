"""Where each key of a TOML file stands, so that an error can name its line. Reads well-formed TOML only.

The standard parser forgets positions. This is no second parser: it follows table headers and the keys at the
beginning of a line, and a key that it cannot see (inside an inline table) is answered by the nearest around
it.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""`("accounts", 0, "tokens", 1, "max_per_day")`."""

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_KEY = re.compile(r"""\s*([A-Za-z0-9_."'-]+)\s*=""")


class Lines:
    """Line numbers by key path, from 1."""

    def __init__(self, text: str) -> None:
        self._lines = _scan(text)

    def of(self, path: KeyPath) -> int | None:
        """Line of the key, or of the nearest table around it; None when the file has neither."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None


def spell(path: KeyPath) -> str:
    """Return a key path as people write it: `accounts[0].tokens[1].max_per_day`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _scan(text: str) -> Mapping[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    tables_seen: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _table(_parts(header[2]), tables_seen, is_array=header[1] == "[[")
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _table(parts: list[str], seen: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Path of a table header; each array of tables that it passes through means its newest entry."""
    path: KeyPath = ()
    for part in parts[:-1]:
        path = (*path, part)
        if path in seen:
            path = (*path, seen[path] - 1)
    path = (*path, parts[-1])
    if is_array:
        seen[path] = seen.get(path, 0) + 1
        path = (*path, seen[path] - 1)
    return path


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
