"""Looks for a secret in the memory of a running process, byte by byte; refuses to change anything there."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r\S*) \S+ \S+ \d+ *(.*)")
_PIECE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One place: in which form, and in which mapping (`[heap]`, `[stack]`, a file, or anonymous)."""

    form: str
    mapping: str
    address: int


def forms_of(key: bytes) -> dict[str, bytes]:
    """Every form in which 32 bytes of a key are plausible; halves, too, so that a piece is found."""
    text = base64.b64encode(key)
    return {
        "raw": key,
        "raw, first half": key[:16],
        "raw, second half": key[16:],
        # libsecp256k1 keeps a scalar as four little-endian words, the lowest first.
        "scalar, low half": key[::-1][:16],
        "scalar, high half": key[::-1][16:],
        "hex": key.hex().encode(),
        "HEX": key.hex().upper().encode(),
        "base64": text,
        "base64, first half": text[:20],
        "base64, second half": text[20:43],
    }


def search_memory(pid: int, forms: dict[str, bytes]) -> list[Found]:
    """Every occurrence of every form in what the process can read, `vsyscall` and devices aside."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, name in _regions(pid):
            for at in range(start, end, _PIECE_BYTES):
                memory.seek(at)
                try:
                    # Pieces overlap, so that nothing hides on a border.
                    piece = memory.read(min(_PIECE_BYTES + 128, end - at))
                except OSError:
                    break  # a mapping that nobody may read, the process itself included
                for form, needle in forms.items():
                    places = {each.start() + at for each in re.finditer(re.escape(needle), piece)}
                    found += [
                        Found(form=form, mapping=name or "anonymous", address=place) for place in places
                    ]
    return list(dict.fromkeys(found))


def _regions(pid: int) -> Iterator[tuple[int, int, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        match = _REGION.fullmatch(line.strip())
        if match is not None and match[4] not in {"[vvar]", "[vsyscall]"}:
            yield int(match[1], 16), int(match[2], 16), match[4]
