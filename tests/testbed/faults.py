"""The ways in which a node can fail, as values for `RpcProxy.fault`; refuses to fail by chance."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class DropBefore:
    """Cuts the connection without asking the node: the call never happened."""


@dataclass(frozen=True, slots=True)
class DropAfter:
    """Asks the node, then cuts the connection: it happened, and nobody was told."""


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error without asking the node, such as 429 with `Retry-After`, or 503."""

    code: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class HtmlBody:
    """Status 200 and a web page, as a captive proxy answers."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes the call and never answers; the connection stays open until the proxy closes."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Answers truthfully, late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WrongId:
    """A true result under another call's id."""


@dataclass(frozen=True, slots=True)
class NullResult:
    """Asks the node, then answers null."""


@dataclass(frozen=True, slots=True)
class WrongHash:
    """Forwards a transaction, then answers with the hash of another."""


@dataclass(frozen=True, slots=True)
class Swallow:
    """Answers a transaction with its right hash, and forgets it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """A JSON-RPC error without asking the node."""

    code: int
    message: str


Fault: TypeAlias = (
    DropBefore
    | DropAfter
    | Status
    | HtmlBody
    | Hang
    | Delay
    | WrongId
    | NullResult
    | WrongHash
    | Swallow
    | Refuse
)
