"""A checkpoint as one line of JSON, sorted and without spaces. Text in, values out; no I/O."""

import base64
import binascii
import json
import re

from signer.domain.checkpoints import Checkpoint, Statement
from signer.domain.time import UnixMs

_SIGNATURE_BYTES = 64
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY_NAME = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_MEMBERS = {"after", "at", "hash", "key", "seq", "signature", "version"}


def write_line(checkpoint: Checkpoint) -> bytes:
    """The line, newline included."""
    statement = checkpoint.statement
    fields = {
        "after": statement.after,
        "at": statement.at,
        "hash": statement.hash,
        "key": statement.key,
        "seq": statement.seq,
        "signature": base64.b64encode(checkpoint.signature).decode("ascii"),
        "version": checkpoint.key_version,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def read_line(line: bytes) -> Checkpoint:
    """The checkpoint of a line, given with its newline. Raises ValueError saying what is wrong with it."""
    if not line.endswith(b"\n"):
        raise ValueError("it is torn: no newline at its end")
    try:
        fields = json.loads(line)
    except ValueError:
        raise ValueError("it is no JSON") from None
    if not isinstance(fields, dict) or set(fields) != _MEMBERS:
        raise ValueError(
            f"it is no checkpoint; allowed are exactly the members {', '.join(sorted(_MEMBERS))}"
        )
    return Checkpoint(
        statement=Statement(
            after=_number(fields, "after", least=-1),
            at=UnixMs(_number(fields, "at")),
            hash=_text(fields, "hash", _HASH),
            key=_text(fields, "key", _KEY_NAME),
            seq=_number(fields, "seq"),
        ),
        key_version=_number(fields, "version", least=1),
        signature=_signature(fields),
    )


def _number(fields: dict[str, object], name: str, *, least: int = 0) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"its {name} is no number from {least}")
    return value


def _text(fields: dict[str, object], name: str, allowed: re.Pattern[str]) -> str:
    value = fields[name]
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise ValueError(f"its {name} is not of the form {allowed.pattern}")
    return value


def _signature(fields: dict[str, object]) -> bytes:
    value = fields["signature"]
    try:
        signature = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        signature = b""
    if len(signature) != _SIGNATURE_BYTES:
        raise ValueError(f"its signature is not {_SIGNATURE_BYTES} bytes in base64")
    return signature
