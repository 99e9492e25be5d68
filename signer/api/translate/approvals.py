"""What operators watch: domain → protobuf. No bytes that could be broadcast are in it."""

from protos.airlock.signer.v1 import admin_pb2
from signer.api.translate.answers import PHASES, account, budget_line, spelled
from signer.ports.device import DeviceStatus, Screen
from signer.service.approvals.approval import ApprovalView
from signer.service.approvals.approvals import ApprovalOutcome
from signer.service.approvals.brief import AssetAmount, Brief, PositionChange, ReferenceAmount
from signer.service.watch_approvals import Picture


def picture(seen: Picture) -> admin_pb2.WatchApprovalsResponse:
    """The whole picture."""
    return admin_pb2.WatchApprovalsResponse(
        time_unix_ms=seen.at,
        approvals=[approval(each) for each in seen.approvals],
        devices=[device(each) for each in seen.devices],
        outcomes=[outcome(each) for each in seen.outcomes],
        accounts=[account(each) for each in seen.accounts],
    )


def approval(view: ApprovalView) -> admin_pb2.Approval:
    """A request that waits; what it is about is absent until it was gathered."""
    wanted = view.wanted
    answer = admin_pb2.Approval(
        approval_id=wanted.id,
        account=spelled(wanted.account),
        wallet=wanted.wallet,
        client=wanted.client,
        method=wanted.method,
        device=wanted.device.device,
        phase=PHASES[view.phase],
        phase_message=view.message,
        asked_time_unix_ms=wanted.asked_at,
        ends_time_unix_ms=wanted.ends_at,
        nonce=view.nonce,
        device_screens=[_screen(each) for each in view.screens],
        policy_hash=wanted.policy_hash,
    )
    if view.brief is not None:
        answer.MergeFrom(_explained(view.brief))
    return answer


def device(status: DeviceStatus) -> admin_pb2.Device:
    """A device as it is."""
    return admin_pb2.Device(
        name=status.name,
        kind=status.kind,
        state=status.state,
        ready=status.ready,
        reason="" if status.reason is None else status.reason,
        message=status.message,
        detail=status.detail,
        waiting=status.waiting,
    )


def outcome(told: ApprovalOutcome) -> admin_pb2.ApprovalOutcome:
    """What became of a request."""
    return admin_pb2.ApprovalOutcome(
        approval_id=told.wanted.id,
        account=spelled(told.wanted.account),
        client=told.wanted.client,
        summary=told.summary,
        verdict=told.verdict,
        reasons=told.reasons,
        message=told.message,
        time_unix_ms=told.at,
    )


def _explained(brief: Brief) -> admin_pb2.Approval:
    return admin_pb2.Approval(
        decoded_actions=brief.actions,
        pays=[_amount(each) for each in brief.pays],
        receives_at_least=[_amount(each) for each in brief.receives_at_least],
        quoted=[_amount(each) for each in brief.quoted],
        references=[_reference(each) for each in brief.references],
        slippage_bps=brief.slippage_bps,
        max_slippage_bps=brief.max_slippage_bps,
        fee_max=str(brief.fee_max_wei),
        fee_detail=brief.fee_detail,
        positions=[_position(each) for each in brief.positions],
        budget=[budget_line(each) for each in brief.budget],
    )


def _amount(amount: AssetAmount) -> admin_pb2.AssetAmount:
    return admin_pb2.AssetAmount(
        asset=amount.asset, symbol=amount.symbol, decimals=amount.decimals, amount=str(amount.amount)
    )


def _reference(reference: ReferenceAmount) -> admin_pb2.ReferenceAmount:
    return admin_pb2.ReferenceAmount(source=reference.source, amount=_amount(reference.amount))


def _position(change: PositionChange) -> admin_pb2.Position:
    return admin_pb2.Position(before=_amount(change.before), after=str(change.after))


def _screen(screen: Screen) -> admin_pb2.DeviceScreen:
    return admin_pb2.DeviceScreen(title=screen.title, text=screen.text)
