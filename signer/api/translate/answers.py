"""Answers to clients: domain → protobuf. Only the answers of Sign, Replace and Cancel carry raw bytes."""

from protos.airlock.signer.v1 import signer_pb2, types_pb2
from signer.api.errors import MAX_VIOLATIONS
from signer.api.translate.spelling import spelled as spelled  # noqa: PLC0414 - part of these answers, too
from signer.domain.accounts import AccountState
from signer.domain.budget import unit_of
from signer.domain.decisions import Denied, Violation
from signer.domain.errors import BrokenError
from signer.domain.events import TransactionEvent
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.transactions import SignedBytes
from signer.ports.device import DevicePhase
from signer.ports.ledger import LimitUse
from signer.service.accounts import AccountView
from signer.service.approvals.approval import ApprovalView
from signer.service.cancel_transaction import GivenUp
from signer.service.evaluate import Evaluation
from signer.service.get_budget import Budget
from signer.service.list_accounts import GrantedAccount
from signer.service.wallets.choose_account import Choices

SLOT_STATES = {
    SlotState.RESERVED: types_pb2.SLOT_STATE_RESERVED,
    SlotState.SIGNED: types_pb2.SLOT_STATE_SIGNED,
    SlotState.BROADCAST: types_pb2.SLOT_STATE_BROADCAST,
    SlotState.MINED: types_pb2.SLOT_STATE_MINED,
    SlotState.FINAL: types_pb2.SLOT_STATE_FINAL,
    SlotState.RELEASED: types_pb2.SLOT_STATE_RELEASED,
    SlotState.REPLACED: types_pb2.SLOT_STATE_REPLACED,
    SlotState.CANCELLED: types_pb2.SLOT_STATE_CANCELLED,
}
KINDS = {
    TransactionKind.ORIGINAL: types_pb2.TRANSACTION_KIND_ORIGINAL,
    TransactionKind.REPLACEMENT: types_pb2.TRANSACTION_KIND_REPLACEMENT,
    TransactionKind.CANCELLATION: types_pb2.TRANSACTION_KIND_CANCELLATION,
}
ACCOUNT_STATES = {
    AccountState.ACTIVE: signer_pb2.Account.STATE_ACTIVE,
    AccountState.PAUSED: signer_pb2.Account.STATE_PAUSED,
    AccountState.DRAINING: signer_pb2.Account.STATE_DRAINING,
    AccountState.RETIRED: signer_pb2.Account.STATE_RETIRED,
}


def signed(record: TransactionRecord) -> signer_pb2.SignEvmTransactionResponse:
    """Answer of SignEvmTransaction."""
    bytes_ = signed_bytes(record)
    return signer_pb2.SignEvmTransactionResponse(
        transaction_id=record.id,
        nonce=record.nonce,
        raw_transaction=bytes_.raw,
        transaction_hash=bytes_.hash,
        policy_hash=record.policy_hash,
    )


def replaced(record: TransactionRecord) -> signer_pb2.ReplaceTransactionResponse:
    """Answer of ReplaceTransaction."""
    bytes_ = signed_bytes(record)
    return signer_pb2.ReplaceTransactionResponse(
        transaction_id=record.id,
        nonce=record.nonce,
        raw_transaction=bytes_.raw,
        transaction_hash=bytes_.hash,
        policy_hash=record.policy_hash,
    )


def cancelled(record: TransactionRecord | GivenUp) -> signer_pb2.CancelTransactionResponse:
    """Answer of CancelTransaction."""
    if isinstance(record, GivenUp):
        return signer_pb2.CancelTransactionResponse(transaction_id=record.transaction)
    bytes_ = signed_bytes(record)
    return signer_pb2.CancelTransactionResponse(
        transaction_id=record.id,
        nonce=record.nonce,
        raw_transaction=bytes_.raw,
        transaction_hash=bytes_.hash,
        policy_hash=record.policy_hash,
    )


def signed_bytes(record: TransactionRecord) -> SignedBytes:
    """Return the signature of a record. Raises BrokenError without one: there is no such answer."""
    if record.signed is None:
        raise BrokenError(FailReason.BROKEN, f"transaction {record.id} is {record.state} without a signature")
    return record.signed


def evaluation(result: Evaluation) -> signer_pb2.EvaluateResponse:
    """Answer of Evaluate."""
    answer = signer_pb2.EvaluateResponse(policy_hash=result.policy_hash, decoded_actions=result.actions)
    if isinstance(result.decision, Denied):
        answer.verdict = signer_pb2.EvaluateResponse.VERDICT_DENIED
        violations = result.decision.violations
        answer.violations.extend(violation(each) for each in violations[:MAX_VIOLATIONS])
        answer.violations_omitted = max(0, len(violations) - MAX_VIOLATIONS)
    else:
        answer.verdict = signer_pb2.EvaluateResponse.VERDICT_APPROVED
    return answer


def violation(each: Violation) -> types_pb2.Violation:
    """One violated rule."""
    return types_pb2.Violation(
        reason=each.reason, rule=each.rule, limit=each.limit, actual=each.actual, unit=each.unit
    )


def transaction(record: TransactionRecord) -> types_pb2.TransactionRecord:
    """A transaction without its bytes."""
    return types_pb2.TransactionRecord(
        transaction_id=record.id,
        account=spelled(record.account),
        nonce=record.nonce,
        kind=KINDS[record.kind],
        state=SLOT_STATES[record.state],
        transaction_hash=record.signed.hash if record.signed else "",
        idempotency_key=record.idempotency_key,
        replaces_transaction_id=record.replaces or "",
        policy_hash=record.policy_hash,
        reserved_time_unix_ms=record.reserved_at,
        signed_time_unix_ms=record.signed_at or 0,
        block_number=record.block_number or 0,
        reverted=record.reverted,
        fee_paid="" if record.fee_paid_wei is None else str(record.fee_paid_wei),
    )


def budget(result: Budget) -> signer_pb2.GetBudgetResponse:
    """Answer of GetBudget."""
    return signer_pb2.GetBudgetResponse(
        lines=[budget_line(use) for use in result.lines], policy_hash=result.policy_hash
    )


def budget_line(use: LimitUse) -> types_pb2.BudgetLine:
    """Use of one rolling limit."""
    return types_pb2.BudgetLine(
        resource=use.limit.resource,
        window_s=use.limit.window_s,
        limit=str(use.limit.limit),
        used=str(use.used),
        unit=unit_of(use.limit.resource),
    )


def accounts(granted: tuple[GrantedAccount, ...]) -> signer_pb2.ListAccountsResponse:
    """Answer of ListAccounts."""
    return signer_pb2.ListAccountsResponse(accounts=[_granted(each) for each in granted])


def _granted(each: GrantedAccount) -> signer_pb2.Account:
    answer = account(each.view, each.methods)
    answer.ready = each.not_ready is None
    answer.not_ready_reason = "" if each.not_ready is None else each.not_ready.message
    return answer


def choices(chosen: Choices) -> signer_pb2.ChooseAccountResponse:
    """Answer of ChooseAccount."""
    return signer_pb2.ChooseAccountResponse(
        account="" if chosen.account is None else spelled(chosen.account),
        choices=[
            signer_pb2.AccountChoice(
                account=spelled(each.account),
                would_sign=each.would_sign,
                reason=each.reason,
                message=each.message,
                max_amount_in=str(each.max_amount_in),
            )
            for each in chosen.choices
        ],
    )


def account(view: AccountView, methods: tuple[str, ...] = ()) -> signer_pb2.Account:
    """An account as a client sees it, but for whether it would sign now: only ListAccounts looks."""
    return signer_pb2.Account(
        account=spelled(view.account.id),
        wallet=view.account.wallet,
        wallet_position=view.account.wallet_position,
        backend=view.account.backend,
        state=ACCOUNT_STATES[view.state],
        pause_reason=view.reason,
        granted_methods=methods,
        successor="" if view.successor is None else spelled(view.successor),
        swept=view.swept,
        condition=view.condition,
        attended=view.approval_timeout_ms is not None,
        approval_timeout_ms=view.approval_timeout_ms or 0,
    )


def event(change: TransactionEvent) -> signer_pb2.WatchTransactionsResponse:
    """One life-cycle change. The record is as it is now, with the state that the event brought."""
    record = transaction(change.record)
    record.state = SLOT_STATES[change.state]
    return signer_pb2.WatchTransactionsResponse(
        cursor=str(change.cursor),
        time_unix_ms=change.at,
        transaction=record,
        previous_state=types_pb2.SLOT_STATE_UNSPECIFIED
        if change.previous is None
        else SLOT_STATES[change.previous],
    )


PHASES = {
    DevicePhase.QUEUED: signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_QUEUED,
    DevicePhase.WAITING_FOR_CONFIRMATION: (
        signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_WAITING_FOR_CONFIRMATION
    ),
    DevicePhase.CONFIRMED: signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_CONFIRMED,
    DevicePhase.ENDED: signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_ENDED,
}


def phase(view: ApprovalView) -> signer_pb2.WatchTransactionsResponse:
    """How far a person is with a request. Carries no cursor: the ledger's log has what comes of it."""
    wanted = view.wanted
    return signer_pb2.WatchTransactionsResponse(
        transaction=types_pb2.TransactionRecord(
            transaction_id=wanted.id,
            account=spelled(wanted.account),
            nonce=view.nonce or 0,
            kind=KINDS[wanted.kind],
            state=types_pb2.SLOT_STATE_UNSPECIFIED if view.nonce is None else types_pb2.SLOT_STATE_RESERVED,
            idempotency_key=wanted.idempotency_key,
            policy_hash=wanted.policy_hash,
        ),
        device_phase=PHASES[view.phase],
        device_message=view.message,
    )


def account_change(view: AccountView, methods: tuple[str, ...] = ()) -> signer_pb2.WatchTransactionsResponse:
    """An account was paused or resumed. Carries no cursor: it is not part of the ledger's log."""
    change = signer_pb2.AccountChange(account=account(view, methods))
    return signer_pb2.WatchTransactionsResponse(account_change=change)
