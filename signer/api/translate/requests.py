"""Requests of clients: protobuf → domain. The digest covers every field of the contract."""

from collections.abc import Iterator

from protos.airlock.signer.v1 import admin_pb2, signer_pb2, types_pb2
from signer.api.digest import request_digest
from signer.api.errors import NotBuiltError
from signer.api.translate import fields
from signer.domain.accounts import AccountId
from signer.domain.claims import (
    ApproveClaim,
    Claim,
    NativeTransferClaim,
    SwapClaim,
    TokenTransferClaim,
    WrapClaim,
    WrapDirection,
)
from signer.domain.errors import InvalidRequestError
from signer.domain.requests import EvaluateRequest, FeeBumpRequest, SignRequest
from signer.domain.time import UnixMs
from signer.domain.transactions import MAX_CALLDATA_BYTES, EvmPayload
from signer.service.rotation.rotate_account import RotateRequest, RotationStep
from signer.service.wallets.choose_account import ChoiceRequest
from signer.service.wallets.outlook import Given

_DIRECTIONS = {
    types_pb2.WrapClaim.DIRECTION_DEPOSIT: WrapDirection.DEPOSIT,
    types_pb2.WrapClaim.DIRECTION_WITHDRAW: WrapDirection.WITHDRAW,
}


_ROTATION_STEPS = {
    admin_pb2.RotateAccountRequest.STEP_BEGIN: RotationStep.BEGIN,
    admin_pb2.RotateAccountRequest.STEP_STATUS: RotationStep.STATUS,
    admin_pb2.RotateAccountRequest.STEP_FINISH: RotationStep.FINISH,
    admin_pb2.RotateAccountRequest.STEP_ABORT: RotationStep.ABORT,
}


def sign_request(request: signer_pb2.SignEvmTransactionRequest) -> SignRequest:
    """Raises InvalidRequestError."""
    key = fields.idempotency_key(request.idempotency_key)
    account = evm_account(request.account)
    if not request.HasField("transaction"):
        raise InvalidRequestError("transaction", "is not set; an EvmTransaction is allowed")
    payload = evm_payload(request.transaction)
    claim = parse_claim(request)
    content = (key, account, *_payload_values(payload), *_claim_values(claim))
    return SignRequest(
        idempotency_key=key,
        account=account,
        payload=payload,
        claim=claim,
        request_digest=request_digest("SignEvmTransaction", content),
    )


def evaluate_request(request: signer_pb2.EvaluateRequest) -> EvaluateRequest:
    """Raises InvalidRequestError, or NotBuiltError for a Solana message."""
    match request.WhichOneof("transaction"):
        case "evm":
            account = evm_account(request.account)
            return EvaluateRequest(
                account=account, payload=evm_payload(request.evm, "evm"), claim=parse_claim(request)
            )
        case "solana_message":
            raise NotBuiltError("Evaluate of a Solana message")
        case _:
            raise InvalidRequestError("transaction", "is not set; evm or solana_message is allowed")


def choice_request(request: signer_pb2.ChooseAccountRequest) -> ChoiceRequest:
    """A trade that a client has in mind. Raises InvalidRequestError."""
    amount = fields.uint256("amount_in", request.amount_in)
    if amount == 0:
        raise InvalidRequestError("amount_in", "is 0; allowed is 1 or more")
    return ChoiceRequest(
        wallet=fields.wallet(request.wallet),
        chain=fields.evm_chain(request.chain),
        given=Given(token=fields.address("token_in", request.token_in), amount=amount),
    )


def fee_bump_request(
    method: str, request: signer_pb2.ReplaceTransactionRequest | signer_pb2.CancelTransactionRequest
) -> FeeBumpRequest:
    """A replacement or a cancellation. Raises InvalidRequestError."""
    key = fields.idempotency_key(request.idempotency_key)
    transaction = fields.transaction_id(request.transaction_id)
    max_fee, priority_fee = _fees(request.max_fee_per_gas_wei, request.max_priority_fee_per_gas_wei)
    return FeeBumpRequest(
        idempotency_key=key,
        transaction=transaction,
        max_fee_per_gas_wei=max_fee,
        max_priority_fee_per_gas_wei=priority_fee,
        request_digest=request_digest(method, (key, transaction, max_fee, priority_fee)),
    )


def rotate_request(request: admin_pb2.RotateAccountRequest) -> RotateRequest:
    """One step of a rotation. Raises InvalidRequestError."""
    if request.step not in _ROTATION_STEPS:
        raise InvalidRequestError("step", "is not set; STEP_BEGIN, _STATUS, _FINISH or _ABORT is allowed")
    step = _ROTATION_STEPS[request.step]
    if step is not RotationStep.BEGIN and (request.new_account or request.emergency):
        field = "new_account" if request.new_account else "emergency"
        raise InvalidRequestError(field, "is set; only STEP_BEGIN takes it")
    return RotateRequest(
        account=fields.account(request.account),
        step=step,
        new_account=fields.account(request.new_account, "new_account") if request.new_account else None,
        emergency=request.emergency,
    )


def evm_account(text: str) -> AccountId:
    """Return a CAIP-10 account of an EVM chain. Raises InvalidRequestError."""
    account = fields.account(text)
    if not account.startswith("eip155:"):
        raise InvalidRequestError("account", f"{account} is on no EVM chain; allowed is eip155:<id>:0x…")
    return account


def evm_payload(transaction: types_pb2.EvmTransaction, field: str = "transaction") -> EvmPayload:
    """Raises InvalidRequestError."""
    if len(transaction.data) > MAX_CALLDATA_BYTES:
        size = len(transaction.data)
        raise InvalidRequestError(
            f"{field}.data", f"has {size} bytes; at most {MAX_CALLDATA_BYTES} are allowed"
        )
    max_fee, priority_fee = _fees(
        transaction.max_fee_per_gas_wei, transaction.max_priority_fee_per_gas_wei, f"{field}."
    )
    return EvmPayload(
        to=fields.address(f"{field}.to", transaction.to),
        value_wei=fields.uint256(f"{field}.value_wei", transaction.value_wei),
        data=transaction.data,
        gas_limit=fields.positive_uint64(f"{field}.gas_limit", transaction.gas_limit),
        max_fee_per_gas_wei=max_fee,
        max_priority_fee_per_gas_wei=priority_fee,
    )


def parse_claim(request: signer_pb2.SignEvmTransactionRequest | signer_pb2.EvaluateRequest) -> Claim:
    """Exactly one claim accompanies a transaction. Raises InvalidRequestError."""
    match request.claim.WhichOneof("kind"):
        case "swap":
            return _swap(request.claim.swap)
        case "approve":
            return _approve(request.claim.approve)
        case "wrap":
            return _wrap(request.claim.wrap)
        case "native_transfer":
            transfer = request.claim.native_transfer
            return NativeTransferClaim(
                recipient=fields.address("claim.native_transfer.recipient", transfer.recipient),
                amount_wei=fields.uint256("claim.native_transfer.amount", transfer.amount),
            )
        case "token_transfer":
            moved = request.claim.token_transfer
            return TokenTransferClaim(
                token=fields.address("claim.token_transfer.token", moved.token),
                recipient=fields.address("claim.token_transfer.recipient", moved.recipient),
                amount=fields.uint256("claim.token_transfer.amount", moved.amount),
            )
        case _:
            allowed = "swap, approve, wrap, native_transfer or token_transfer"
            raise InvalidRequestError("claim", f"is not set; {allowed} is allowed")


def _swap(swap: types_pb2.SwapClaim) -> SwapClaim:
    if swap.quote_time_unix_ms <= 0:
        raise InvalidRequestError("claim.swap.quote_time_unix_ms", "allowed are positive unix milliseconds")
    return SwapClaim(
        token_in=fields.address("claim.swap.token_in", swap.token_in),
        token_out=fields.address("claim.swap.token_out", swap.token_out),
        amount_in=fields.uint256("claim.swap.amount_in", swap.amount_in),
        minimum_out=fields.uint256("claim.swap.minimum_out", swap.minimum_out),
        quoted_out=fields.uint256("claim.swap.quoted_out", swap.quoted_out),
        quote_time=UnixMs(swap.quote_time_unix_ms),
    )


def _approve(approve: types_pb2.ApproveClaim) -> ApproveClaim:
    return ApproveClaim(
        token=fields.address("claim.approve.token", approve.token),
        spender=fields.address("claim.approve.spender", approve.spender),
        amount=fields.uint256("claim.approve.amount", approve.amount),
    )


def _wrap(wrap: types_pb2.WrapClaim) -> WrapClaim:
    if wrap.direction not in _DIRECTIONS:
        raise InvalidRequestError(
            "claim.wrap.direction", "allowed are DIRECTION_DEPOSIT and DIRECTION_WITHDRAW"
        )
    return WrapClaim(
        direction=_DIRECTIONS[wrap.direction],
        amount_wei=fields.uint256("claim.wrap.amount_wei", wrap.amount_wei),
    )


def _fees(max_fee: str, priority_fee: str, prefix: str = "") -> tuple[int, int]:
    fee = fields.uint256(f"{prefix}max_fee_per_gas_wei", max_fee)
    priority = fields.uint256(f"{prefix}max_priority_fee_per_gas_wei", priority_fee)
    if priority > fee:
        raise InvalidRequestError(
            f"{prefix}max_priority_fee_per_gas_wei",
            f"{priority} is above max_fee_per_gas_wei {fee}, the most allowed",
        )
    return fee, priority


def _payload_values(payload: EvmPayload) -> Iterator[str | bytes | int]:
    yield payload.to
    yield payload.value_wei
    yield payload.data
    yield payload.gas_limit
    yield payload.max_fee_per_gas_wei
    yield payload.max_priority_fee_per_gas_wei


def _claim_values(claim: Claim) -> Iterator[str | int]:
    match claim:
        case SwapClaim():
            yield "swap"
            yield from (claim.token_in, claim.token_out, claim.amount_in, claim.minimum_out, claim.quoted_out)
            yield claim.quote_time
        case ApproveClaim():
            yield from ("approve", claim.token, claim.spender, claim.amount)
        case WrapClaim():
            yield from ("wrap", str(claim.direction), claim.amount_wei)
        case NativeTransferClaim():
            yield from ("native_transfer", claim.recipient, claim.amount_wei)
        case TokenTransferClaim():
            yield from ("token_transfer", claim.token, claim.recipient, claim.amount)
