"""Where a key stands in a TOML file, so that an error can name its line; refuses to judge the value. Pure."""

import re

_TABLE = re.compile(r"\s*\[(?P<array>\[)?\s*(?P<name>[A-Za-z0-9_.\-\" ]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*(?P<key>[A-Za-z0-9_.\-\"]+)\s*=")


def line_of(text: str, location: tuple[str | int, ...]) -> int | None:
    """Line (from 1) of the deepest part of `location` that the file has; None when it has none of it.

    `location` is a path as pydantic gives it: names, and numbers for entries of an array of tables.
    """
    lines = _lines(text)
    for depth in range(len(location), 0, -1):
        line = lines.get(location[:depth])
        if line is not None:
            return line
    return None


def spell(location: tuple[str | int, ...]) -> str:
    """The location as people write it, `assets[1].symbol`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _TABLE.fullmatch(line), _KEY.match(line)
        if header is not None:
            table = _parts(header["name"])
            if header["array"]:
                names = _parts(header["name"])
                counts[names] = counts.get(names, -1) + 1
                table = (*names, counts[names])
            found.setdefault(table, number)
        elif key is not None:
            found.setdefault((*table, *_parts(key["key"])), number)
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip('"') for part in name.split("."))
