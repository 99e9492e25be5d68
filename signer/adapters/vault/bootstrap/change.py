"""A difference between the server and the files, as a value. Knows no Vault; holds no secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One write that brings the server nearer; `body` holds no secret."""

    path: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs, how, and the requests that end it; without requests a person has to act on `remedy`."""

    what: str
    details: tuple[str, ...]
    requests: tuple[Request, ...] = ()
    remedy: str = ""


def differences(wanted: Mapping[str, object], found: Mapping[str, object]) -> tuple[str, ...]:
    """One line for each field of `wanted` that `found` says otherwise; the order of a list means nothing."""
    return tuple(
        f"{name} is {_shown(found.get(name))}, wanted {_shown(value)}"
        for name, value in wanted.items()
        if _plain(value) != _plain(found.get(name))
    )


def table(value: object) -> Mapping[str, object]:
    """The JSON object that `value` is; an empty one when it is something else."""
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _plain(value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted(map(str, value)) or None
    return value or None  # Vault leaves out, or answers null, "" or 0, what was never set


def _shown(value: object) -> str:
    plain = _plain(value)
    if isinstance(plain, list):
        return ", ".join(map(str, plain))
    return "not set" if plain is None else str(plain)
