"""A question to Vault and its answer as JSON, or a named error. Knows no login and keeps no token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from pydantic_core import from_json

from signer.adapters.vault.connection import Connection, Question, RawAnswer
from signer.adapters.vault.errors import no_vault, redirected, status_failure, unavailable
from signer.domain.errors import SignerError, UnavailableError
from signer.domain.reasons import FailReason

_QUOTED, _ERRORS = 200, 4
"""How much of what Vault says is told on: it reaches logs and clients."""

_EMPTY: Mapping[str, object] = {}
_GOOD = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})
_STANDBY_HEALTH = frozenset({429, 472, 473})
_HEALTH = "sys/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The parts of an answer that Vault's clients look at; any of them may hold a secret."""

    data: Mapping[str, object] = field(default_factory=dict, repr=False)
    auth: Mapping[str, object] = field(default_factory=dict, repr=False)
    wrap_info: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """What one node says of itself without a login."""

    status: int
    version: str
    sealed: bool
    standby: bool
    initialized: bool


class Exchange:
    """Asks through one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def ask(self, question: Question) -> Reply:
        """The answer. Raises as `VaultApi` says, besides VAULT_LOGGED_OUT for a token that is not valid."""
        raw = await self.connection.ask(question)
        if HTTPStatus.MULTIPLE_CHOICES <= raw.status < HTTPStatus.BAD_REQUEST:
            raise await self._elsewhere(question.path, raw)
        return read_reply(question.path, raw.status, raw.content)

    async def node_health(self) -> NodeHealth:
        """Ask the node about itself. Raises UnavailableError when no Vault answers."""
        raw = await self.connection.ask(Question(method="GET", path=_HEALTH))
        if HTTPStatus.MULTIPLE_CHOICES <= raw.status < HTTPStatus.BAD_REQUEST:
            raise redirected(_HEALTH, raw.redirected_to)
        body = _object(_HEALTH, raw.content)
        if not isinstance(body.get("sealed"), bool):
            raise no_vault(_HEALTH, f"status {raw.status} without a word on being sealed")
        return NodeHealth(
            status=raw.status,
            version=str(body.get("version", "?"))[:40],
            sealed=body["sealed"] is True,
            standby=raw.status in _STANDBY_HEALTH or body.get("standby") is True,
            initialized=body.get("initialized") is True,
        )

    async def _elsewhere(self, path: str, raw: RawAnswer) -> UnavailableError:
        """A standby that cannot forward redirects, too: that is no other host in the way."""
        try:
            health = await self.node_health()
        except UnavailableError:
            return redirected(path, raw.redirected_to)
        if health.standby:
            what = f"{self.connection.target.where} is a standby and sends {path} elsewhere"
            return unavailable(FailReason.VAULT_STANDBY, what)
        return redirected(path, raw.redirected_to)


def read_reply(path: str, status: int, content: bytes) -> Reply:
    """Parse an answer. Raises as `Exchange.ask`."""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise redirected(path, "")
    if status == HTTPStatus.NO_CONTENT or (status == HTTPStatus.OK and not content):
        return Reply()
    body = _object(path, content)
    data = _part(body, "data")
    # That is how a batch says that some of its items failed; each of them says why.
    batch_failed = status == HTTPStatus.BAD_REQUEST and "batch_results" in data
    if status not in _GOOD and not batch_failed:
        raise failure(path, status, body)
    return Reply(data=data, auth=_part(body, "auth"), wrap_info=_part(body, "wrap_info"))


def failure(path: str, status: int, body: Mapping[str, object]) -> SignerError:
    """Error for an answer that is JSON, but no good."""
    errors = body.get("errors")
    texts = tuple(str(each)[:_QUOTED] for each in errors[:_ERRORS]) if isinstance(errors, list) else ()
    return status_failure(path, status, texts)


def _object(path: str, content: bytes) -> Mapping[str, object]:
    try:
        # Not json.loads: deep nesting can overflow the C stack there and take the process down.
        body = from_json(content, allow_inf_nan=False)
    except ValueError:
        raise no_vault(path, "no JSON") from None
    if not isinstance(body, dict):
        raise no_vault(path, "JSON, but no object")
    return cast("dict[str, object]", body)


def _part(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = body.get(name)
    return cast("dict[str, object]", part) if isinstance(part, dict) else _EMPTY
