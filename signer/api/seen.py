"""What an operator's program sees of WatchApprovals, as plain values. Believes no text to be harmless."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from protos.airlock.signer.v1 import admin_pb2, signer_pb2, types_pb2
from signer.api.plain_text import plain
from signer.api.translate.answers import ACCOUNT_STATES, PHASES
from signer.domain.accounts import AccountState
from signer.domain.budget import Resource, RollingLimit
from signer.domain.time import UnixMs
from signer.ports.device import DevicePhase, Screen
from signer.ports.ledger import LimitUse
from signer.service.approvals.brief import AssetAmount, Brief, PositionChange, ReferenceAmount

_NUMBER = re.compile(r"-?[0-9]{1,80}")
_MOST_DECIMALS = 77
_MOST_WINDOW_S = 10**9
_ID = re.compile(r"[0-9a-f]{32}")
_PHASE_OF = {wire: phase for phase, wire in PHASES.items()}
_STATE_OF = {wire: state for state, wire in ACCOUNT_STATES.items()}


class NonsenseError(ValueError):
    """What came is no picture. Says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenApproval:
    """A request that waits. `brief` is None until it was gathered; `nonce` and `screens` come at its turn."""

    id: str
    account: str
    wallet: str
    client: str
    method: str
    device: str
    phase: DevicePhase
    message: str
    asked_at: UnixMs
    ends_at: UnixMs
    nonce: int | None
    screens: tuple[Screen, ...]
    policy_hash: str
    brief: Brief | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDevice:
    """A device; `reason` and `message` are empty when it is ready."""

    name: str
    kind: str
    state: str
    ready: bool
    reason: str
    message: str
    detail: str
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOutcome:
    """What became of a request."""

    id: str
    account: str
    client: str
    summary: str
    verdict: str
    reasons: tuple[str, ...]
    message: str
    at: UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAccount:
    """An account; `reason` says why it is paused or its drain is held."""

    account: str
    wallet: str
    backend: str
    state: AccountState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPicture:
    """The whole picture at `at` by the signer's clock."""

    at: UnixMs
    approvals: tuple[SeenApproval, ...]
    devices: tuple[SeenDevice, ...]
    outcomes: tuple[SeenOutcome, ...]
    accounts: tuple[SeenAccount, ...]


def seen(picture: admin_pb2.WatchApprovalsResponse) -> SeenPicture:
    """Everything in it, with every text made plain. Raises NonsenseError."""
    return SeenPicture(
        at=UnixMs(picture.time_unix_ms),
        approvals=tuple(_approval(each) for each in picture.approvals),
        devices=tuple(_device(each) for each in picture.devices),
        outcomes=tuple(_outcome(each) for each in picture.outcomes),
        accounts=tuple(_account(each) for each in picture.accounts),
    )


def _approval(approval: admin_pb2.Approval) -> SeenApproval:
    if not _ID.fullmatch(approval.approval_id):
        raise NonsenseError(f"{plain(approval.approval_id)!r} is no id: 32 lower-case hex digits are")
    return SeenApproval(
        id=approval.approval_id,
        account=plain(approval.account),
        wallet=plain(approval.wallet),
        client=plain(approval.client),
        method=plain(approval.method),
        device=plain(approval.device),
        phase=_PHASE_OF.get(approval.phase, DevicePhase.QUEUED),
        message=plain(approval.phase_message),
        asked_at=UnixMs(approval.asked_time_unix_ms),
        ends_at=UnixMs(approval.ends_time_unix_ms),
        nonce=approval.nonce if approval.HasField("nonce") else None,
        screens=tuple(
            Screen(title=plain(each.title), text=plain(each.text)) for each in approval.device_screens
        ),
        policy_hash=plain(approval.policy_hash),
        brief=_brief(approval) if approval.decoded_actions else None,
    )


def _brief(approval: admin_pb2.Approval) -> Brief:
    return Brief(
        actions=_texts(approval.decoded_actions),
        pays=_amounts(approval.pays),
        receives_at_least=_amounts(approval.receives_at_least),
        quoted=_amounts(approval.quoted),
        references=tuple(
            ReferenceAmount(source=plain(each.source), amount=_amount(each.amount))
            for each in approval.references
        ),
        slippage_bps=approval.slippage_bps if approval.HasField("slippage_bps") else None,
        max_slippage_bps=approval.max_slippage_bps,
        fee_max_wei=_number(approval.fee_max),
        fee_detail=plain(approval.fee_detail),
        positions=tuple(
            PositionChange(before=_amount(each.before), after=_number(each.after))
            for each in approval.positions
        ),
        budget=tuple(_limit_use(each) for each in approval.budget),
    )


def _device(device: admin_pb2.Device) -> SeenDevice:
    return SeenDevice(
        name=plain(device.name),
        kind=plain(device.kind),
        state=plain(device.state),
        ready=device.ready,
        reason=plain(device.reason),
        message=plain(device.message),
        detail=plain(device.detail),
        waiting=device.waiting,
    )


def _outcome(outcome: admin_pb2.ApprovalOutcome) -> SeenOutcome:
    return SeenOutcome(
        id=plain(outcome.approval_id),
        account=plain(outcome.account),
        client=plain(outcome.client),
        summary=plain(outcome.summary),
        verdict=plain(outcome.verdict),
        reasons=_texts(outcome.reasons),
        message=plain(outcome.message),
        at=UnixMs(outcome.time_unix_ms),
    )


def _account(account: signer_pb2.Account) -> SeenAccount:
    state = _STATE_OF.get(account.state)
    if state is None:
        raise NonsenseError(f"account state {account.state} is not known here: use the console of the signer")
    return SeenAccount(
        account=plain(account.account),
        wallet=plain(account.wallet),
        backend=plain(account.backend),
        state=state,
        reason=plain(account.pause_reason),
    )


def _amounts(amounts: Iterable[admin_pb2.AssetAmount]) -> tuple[AssetAmount, ...]:
    return tuple(_amount(each) for each in amounts)


def _amount(amount: admin_pb2.AssetAmount) -> AssetAmount:
    if amount.decimals > _MOST_DECIMALS:
        raise NonsenseError(f"{amount.decimals} decimals; {_MOST_DECIMALS} are the most")
    return AssetAmount(
        asset=plain(amount.asset),
        symbol=plain(amount.symbol),
        decimals=amount.decimals,
        amount=_number(amount.amount),
    )


def _limit_use(line: types_pb2.BudgetLine) -> LimitUse:
    if not 0 < line.window_s <= _MOST_WINDOW_S:
        raise NonsenseError(f"a window of {line.window_s} s")
    limit = RollingLimit(
        resource=Resource(plain(line.resource)), window_s=line.window_s, limit=_number(line.limit)
    )
    return LimitUse(limit=limit, used=_number(line.used))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NonsenseError(f"{plain(text, at_most=90)!r} is no whole number")
    return int(text)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(each) for each in texts)
