"""Fields of Vault's answers, taken by type. Refuses an answer that lacks one: that is no Vault we know."""

import base64
from collections.abc import Mapping, Sequence
from typing import cast

from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason


def text(answer: Mapping[str, object], name: str) -> str:
    """Return a string field. Raises UnavailableError (VAULT_FAULTY) when it is not there."""
    value = answer.get(name)
    if not isinstance(value, str):
        raise _faulty(name, "a text")
    return value


def integer(answer: Mapping[str, object], name: str) -> int:
    """Return a whole number, also one that came as text. Raises UnavailableError (VAULT_FAULTY)."""
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _faulty(name, "a whole number")
    try:
        return int(value)
    except ValueError:
        raise _faulty(name, "a whole number") from None


def raw(answer: Mapping[str, object], name: str) -> bytes:
    """Return the bytes of a base64 field. Raises UnavailableError (VAULT_FAULTY)."""
    try:
        return base64.b64decode(text(answer, name), validate=True)
    except ValueError:
        raise _faulty(name, "base64") from None


def mapping(value: object, name: str) -> Mapping[str, object]:
    """Return a JSON object. Raises UnavailableError (VAULT_FAULTY)."""
    if not isinstance(value, Mapping):
        raise _faulty(name, "an object")
    return cast("Mapping[str, object]", value)


def items(answer: Mapping[str, object], name: str, count: int) -> Sequence[object]:
    """Return a list of exactly `count` values. Raises UnavailableError (VAULT_FAULTY)."""
    value = answer.get(name)
    if not isinstance(value, list) or len(value) != count:
        raise _faulty(name, f"{count} items")
    return value


def _faulty(name: str, expected: str) -> UnavailableError:
    return UnavailableError(FailReason.VAULT_FAULTY, f"Vault's answer has no {name} with {expected} in it")
