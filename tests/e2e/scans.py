"""Looks for needles in memory, files and databases. Remembers only the names of what it found."""

import base64
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import asyncpg
import rlp

from tests.testbed.signer_program import SignerFiles

Needles = Mapping[str, bytes]
_CHUNK = 8 * 2**20


def spellings(name: str, secret: bytes) -> Needles:
    """The ways in which somebody would write a secret down; `0x` hex contains plain hex."""
    encoded = base64.b64encode(secret).rstrip(b"=")
    return {
        f"{name} raw": secret,
        f"{name} hex": secret.hex().encode(),
        f"{name} HEX": secret.hex().upper().encode(),
        f"{name} base64": encoded,
        f"{name} base64url": encoded.translate(bytes.maketrans(b"+/", b"-_")),
    }


def found(needles: Needles, haystack: bytes) -> set[str]:
    """Names of the needles that occur."""
    return {name for name, needle in needles.items() if needle in haystack}


def in_memory(pid: int, needles: Needles) -> tuple[set[str], int]:
    """Names found in every readable region of a running process, and how many bytes were read."""
    longest = max(map(len, needles.values()))
    names: set[str] = set()
    read = 0
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for start, end in _regions(pid):
            for offset in range(start, end, _CHUNK):
                with contextlib.suppress(OSError):  # a guard page, or gone meanwhile
                    chunk = os.pread(memory, min(_CHUNK + longest, end - offset), offset)
                    names |= found(needles, chunk)
                    read += len(chunk)
    finally:
        os.close(memory)
    return names, read


def in_folder(folder: Path, needles: Needles, *, but: frozenset[str] = frozenset()) -> tuple[set[str], int]:
    """Names found in the files below a folder, without those called `but`, and how many files were read."""
    names: set[str] = set()
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in but:
            names |= found(needles, path.read_bytes())
            count += 1
    return names, count


async def in_database(dsn: str, needles: Needles) -> tuple[set[str], int]:
    """Names found in any row of any table of ours, however it is typed, and how many rows were read."""
    names: set[str] = set()
    count = 0
    async for text in _rows(dsn):
        count += 1
        # bytea is shown as \\x and hex, and numbers may hide in text: hex needles find both.
        names |= found(needles, text.encode())
    return names, count


async def data_folder(dsn: str) -> Path:
    """Where the server keeps its files, everything flushed to them."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CHECKPOINT")
        return Path(str(await connection.fetchval("SHOW data_directory")))
    finally:
        await connection.close()


def signed_bytes(files: SignerFiles) -> Iterator[tuple[str, bytes]]:
    """Everything that the signer's ledger has signed: the broadcastable bytes, and r and s by themselves."""
    with contextlib.closing(sqlite3.connect(f"file:{files.ledger}?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT seq, raw FROM transactions WHERE raw IS NOT NULL").fetchall()
    for number, raw in rows:
        *_, r, s = rlp.decode(raw[1:])
        yield f"transaction {number}", raw
        yield f"r of transaction {number}", r
        yield f"s of transaction {number}", s


async def _rows(dsn: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for table in tables:
            for row in await connection.fetch(f"SELECT t::text AS line FROM {table['name']} AS t"):  # noqa: S608 - names from the catalogue
                yield str(row["line"])
    finally:
        await connection.close()


def _regions(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, permissions, *rest = line.split()
        if permissions.startswith("r") and rest[-1] not in ("[vvar]", "[vsyscall]"):
            start, _, end = place.partition("-")
            yield int(start, 16), int(end, 16)
