"""Our values into the signer's messages and back; refuses an answer that is not what was asked for. Pure."""

import re

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from protos.airlock.signer.v1 import signer_pb2, types_pb2
from trader.domain.errors import Refusal, SignerUnavailableError
from trader.domain.ids import Address, IdempotencyKey, WalletId, address_of, chain_of, parse_wallet
from trader.domain.quotes import TransactionDraft
from trader.ports.signer import (
    AccountChoice,
    Allowed,
    ApprovalBelief,
    Belief,
    BudgetLine,
    Choice,
    GivenUp,
    PersonPhase,
    Refused,
    Signed,
    SignerAccount,
    SignerRecord,
    SwapBelief,
    TransferBelief,
    Waiting,
)

_HASH = re.compile(r"0x[0-9a-f]{64}")
_UINT = re.compile(r"0|[1-9][0-9]{0,77}")

SignedMessage = (
    signer_pb2.SignEvmTransactionResponse
    | signer_pb2.ReplaceTransactionResponse
    | signer_pb2.CancelTransactionResponse
)


def account(wallet: WalletId) -> str:
    """CAIP-10 with the address in EIP-55 spelling."""
    return f"{chain_of(wallet)}:{to_checksum_address(address_of(wallet))}"


def address(token: Address) -> str:
    """A token in EIP-55 spelling."""
    return to_checksum_address(token)


def transaction(draft: TransactionDraft) -> types_pb2.EvmTransaction:
    """The unsigned transaction."""
    return types_pb2.EvmTransaction(
        to=to_checksum_address(draft.to),
        value_wei=str(draft.value_wei),
        data=draft.data,
        gas_limit=draft.gas_limit,
        max_fee_per_gas_wei=str(draft.max_fee_per_gas_wei),
        max_priority_fee_per_gas_wei=str(draft.max_priority_fee_per_gas_wei),
    )


def claim(belief: Belief) -> types_pb2.Claim:
    """What we believe the transaction does."""
    match belief:
        case SwapBelief():
            return types_pb2.Claim(
                swap=types_pb2.SwapClaim(
                    token_in=to_checksum_address(belief.token_in),
                    token_out=to_checksum_address(belief.token_out),
                    amount_in=str(belief.amount_in),
                    minimum_out=str(belief.minimum_out),
                    quoted_out=str(belief.quoted_out),
                    quote_time_unix_ms=belief.quoted_at,
                )
            )
        case ApprovalBelief():
            return types_pb2.Claim(
                approve=types_pb2.ApproveClaim(
                    token=to_checksum_address(belief.token),
                    spender=to_checksum_address(belief.spender),
                    amount=str(belief.amount),
                )
            )
        case TransferBelief(token=None):
            return types_pb2.Claim(
                native_transfer=types_pb2.NativeTransferClaim(
                    recipient=to_checksum_address(belief.recipient), amount=str(belief.amount)
                )
            )
        case TransferBelief():
            return types_pb2.Claim(
                token_transfer=types_pb2.TokenTransferClaim(
                    token=to_checksum_address(belief.token or ""),
                    recipient=to_checksum_address(belief.recipient),
                    amount=str(belief.amount),
                )
            )


def cancelled(answer: signer_pb2.CancelTransactionResponse) -> Signed | GivenUp:
    """The cancellation, or that there was nothing to cancel."""
    if not answer.raw_transaction:
        return GivenUp(transaction_id=answer.transaction_id)
    return signed(answer)


def signed(answer: SignedMessage) -> Signed:
    """The signature. Raises SignerUnavailableError when hash and bytes do not belong together."""
    if answer.transaction_hash != "0x" + keccak(answer.raw_transaction).hex():
        raise SignerUnavailableError("signer: the transaction hash is not the hash of the bytes")
    return Signed(
        transaction_id=answer.transaction_id,
        nonce=answer.nonce,
        raw=answer.raw_transaction,
        transaction_hash=answer.transaction_hash,
    )


def verdict(answer: signer_pb2.EvaluateResponse) -> Allowed | Refused:
    """What the signer would do now. Raises SignerUnavailableError for an unspecified verdict."""
    match answer.verdict:
        case signer_pb2.EvaluateResponse.VERDICT_APPROVED:
            return Allowed(actions=tuple(answer.decoded_actions))
        case signer_pb2.EvaluateResponse.VERDICT_DENIED:
            return Refused(refusals=tuple(_refusal(violation) for violation in answer.violations))
        case other:
            raise SignerUnavailableError(f"signer: verdict {other} is none that we know")


def signer_account(answer: signer_pb2.Account) -> SignerAccount:
    """An account that we have a grant for."""
    return SignerAccount(
        wallet=parse_wallet(answer.account),
        backend=answer.backend,
        state=signer_pb2.Account.State.Name(answer.state).removeprefix("STATE_").lower(),
        pause_reason=answer.pause_reason,
        successor=parse_wallet(answer.successor) if answer.successor else None,
        swept=answer.swept,
        group=answer.wallet,
        ready=answer.ready,
        not_ready_reason=answer.not_ready_reason,
        person_ms=answer.approval_timeout_ms if answer.attended else 0,
    )


def choice(answer: signer_pb2.ChooseAccountResponse) -> Choice:
    """What each account of a wallet would do. Raises SignerUnavailableError for an amount that is none."""
    return Choice(
        wallet=parse_wallet(answer.account) if answer.account else None,
        accounts=tuple(
            AccountChoice(
                wallet=parse_wallet(one.account),
                would_sign=one.would_sign,
                max_amount_in=_amount(one.max_amount_in),
                reason=one.reason,
                message=one.message,
            )
            for one in answer.choices
        ),
    )


def waiting(change: signer_pb2.WatchTransactionsResponse) -> Waiting | None:
    """A signature that waits for a person; None when the change is about something else."""
    phase = _PHASES.get(change.device_phase)
    if phase is None:
        return None
    record_of = change.transaction
    return Waiting(
        key=IdempotencyKey(record_of.idempotency_key),
        wallet=parse_wallet(record_of.account),
        transaction_id=record_of.transaction_id,
        phase=phase,
        message=change.device_message,
    )


def record(answer: types_pb2.TransactionRecord) -> SignerRecord | None:
    """What was signed; None for a slot that never had a signature."""
    if not _HASH.fullmatch(answer.transaction_hash):
        return None
    return SignerRecord(
        transaction_id=answer.transaction_id,
        transaction_hash=answer.transaction_hash,
        nonce=answer.nonce,
        state=types_pb2.SlotState.Name(answer.state).removeprefix("SLOT_STATE_").lower(),
    )


def budget_line(answer: types_pb2.BudgetLine) -> BudgetLine:
    """Use of one rolling limit."""
    return BudgetLine(
        resource=answer.resource,
        window_s=answer.window_s,
        limit=int(answer.limit),
        used=int(answer.used),
        unit=answer.unit,
    )


_PHASES = {
    signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_QUEUED: PersonPhase.QUEUED,
    signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_WAITING_FOR_CONFIRMATION: PersonPhase.WAITING,
    signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_CONFIRMED: PersonPhase.CONFIRMED,
    signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_ENDED: PersonPhase.ENDED,
}


def _amount(text: str) -> int:
    if not _UINT.fullmatch(text):
        raise SignerUnavailableError(f"signer: {text[:80]!r} is no amount of base units")
    return int(text)


def _refusal(violation: types_pb2.Violation) -> Refusal:
    metadata = {
        "rule": violation.rule,
        "limit": violation.limit,
        "actual": violation.actual,
        "unit": violation.unit,
    }
    return Refusal(reason=violation.reason, metadata=metadata)
