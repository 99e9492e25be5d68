"""The chain: each line carries the hash of the one before it and its own. Bytes in, bytes out; no I/O.

A line is canonical JSON (sorted keys, no spaces, ASCII) whose last member is `hash`: SHA-256, in hex, over
the line without that member. The first line, number 0, is the genesis of its file and carries a random
name, so that lines of another file never fit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from signer.domain.time import UnixMs
from signer.ports.audit import AuditRecord

Field: TypeAlias = str | int | Sequence[str] | None

NO_HASH = "0" * 64
_HASH_START = b',"hash":"'
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_HASH_MEMBER_BYTES = len(_HASH_START) + 64 + len(b'"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """End of a chain: number of its last line (genesis is 0) and that line's hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a well-formed line says about its place, and when it was written."""

    seq: int
    prev: str
    hash: str
    at: UnixMs


def genesis(file: str, at: UnixMs) -> tuple[bytes, Head]:
    """First line of a file with the given random name, and the head after it."""
    return _line({"at": at, "file": file, "prev": NO_HASH, "seq": 0}, 0)


def extend(head: Head, record: AuditRecord) -> tuple[bytes, Head]:
    """Line that follows `head`, newline included, and the head after it."""
    fields: Mapping[str, Field] = {
        "account": record.account,
        "actions": record.actions,
        "at": record.at,
        "client": record.client,
        "details": record.details,
        "method": record.method,
        "nonce": record.nonce,
        "policy_hash": record.policy_hash,
        "prev": head.hash,
        "request_digest": record.request_digest,
        "rules": record.rules,
        "seq": head.seq + 1,
        "transaction": record.transaction,
        "verdict": record.verdict,
    }
    return _line(fields, head.seq + 1)


def read_link(line: bytes) -> Link:
    """Place of a line, given without its newline. Raises ValueError saying what is wrong with it."""
    body = line[:-_HASH_MEMBER_BYTES] + b"}"
    stated = line[-_HASH_MEMBER_BYTES:]
    try:
        fields = json.loads(body)
    except ValueError:
        raise ValueError("it is not a JSON record") from None
    if not stated.startswith(_HASH_START) or not isinstance(fields, dict):
        raise ValueError("it is not a record with a hash at its end")
    actual = sha256(body).hexdigest()
    if stated != _hash_member(actual):
        raise ValueError("its content does not match its hash: it was changed")
    seq, prev, at = fields.get("seq"), fields.get("prev"), fields.get("at")
    if not isinstance(seq, int) or not isinstance(prev, str) or not isinstance(at, int):
        raise ValueError(  # noqa: TRY004 - bad content, not a wrong argument
            "it has no place in a chain: `seq`, `prev` and `at` are needed"
        )
    return Link(seq=seq, prev=prev, hash=actual, at=UnixMs(at))


def _line(fields: Mapping[str, Field], seq: int) -> tuple[bytes, Head]:
    body = _CANONICAL.encode(fields).encode("ascii")
    digest = sha256(body).hexdigest()
    return body[:-1] + _hash_member(digest) + b"\n", Head(seq=seq, hash=digest)


def _hash_member(digest: str) -> bytes:
    return _HASH_START + digest.encode("ascii") + b'"}'
