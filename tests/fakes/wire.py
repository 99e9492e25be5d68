"""The wire as a client sees it: messages made from actions, channels made from files, errors taken apart."""

import time
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from protos.airlock.signer.v1 import admin_pb2_grpc, signer_pb2, signer_pb2_grpc, types_pb2
from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    Swap,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.transactions import EvmPayload
from tests.fakes import calldata, policies
from tests.testbed.accounts import dev_account

ADDRESS = dev_account(1).address
ACCOUNT = f"eip155:31337:{ADDRESS}"
POLICY = policies.POLICY.replace(policies.OWN, ADDRESS)


def sign_message(
    key: str, action: Action | None = None, *, account: str = ACCOUNT
) -> signer_pb2.SignEvmTransactionRequest:
    """A request with an honest claim; by default for a swap that `POLICY` allows now."""
    chosen = action if action is not None else own_swap()
    return signer_pb2.SignEvmTransactionRequest(
        idempotency_key=key.ljust(16, "_"),
        account=account,
        transaction=transaction(calldata.payload(chosen)),
        claim=claim(chosen),
    )


def own_swap() -> Swap:
    """1,000,000 base units for at least 995,000, paid out to the account, within a minute from now."""
    return replace(policies.SWAP, recipient=Address(ADDRESS), deadline=int(time.time()) + 60)


def transaction(payload: EvmPayload) -> types_pb2.EvmTransaction:
    return types_pb2.EvmTransaction(
        to=payload.to,
        value_wei=str(payload.value_wei),
        data=payload.data,
        gas_limit=payload.gas_limit,
        max_fee_per_gas_wei=str(payload.max_fee_per_gas_wei),
        max_priority_fee_per_gas_wei=str(payload.max_priority_fee_per_gas_wei),
    )


def claim(action: Action) -> types_pb2.Claim:
    match action:
        case Swap():
            swap = types_pb2.SwapClaim(
                token_in=action.token_in,
                token_out=action.token_out,
                amount_in=str(action.amount_in),
                minimum_out=str(action.minimum_out),
                quoted_out=str(action.amount_in),
                quote_time_unix_ms=int(time.time() * 1000) - 500,
            )
            return types_pb2.Claim(swap=swap)
        case Erc20Approve():
            return types_pb2.Claim(
                approve=types_pb2.ApproveClaim(
                    token=action.token, spender=action.spender, amount=str(action.amount)
                )
            )
        case Erc20Transfer():
            moved = types_pb2.TokenTransferClaim(
                token=action.token, recipient=action.recipient, amount=str(action.amount)
            )
            return types_pb2.Claim(token_transfer=moved)
        case WethDeposit():
            direction = types_pb2.WrapClaim.DIRECTION_DEPOSIT
            wrap = types_pb2.WrapClaim(direction=direction, amount_wei=str(action.amount_wei))
            return types_pb2.Claim(wrap=wrap)
        case WethWithdraw():
            direction = types_pb2.WrapClaim.DIRECTION_WITHDRAW
            wrap = types_pb2.WrapClaim(direction=direction, amount_wei=str(action.amount_wei))
            return types_pb2.Claim(wrap=wrap)
        case NativeTransfer():
            transfer = types_pb2.NativeTransferClaim(
                recipient=action.recipient, amount=str(action.amount_wei)
            )
            return types_pb2.Claim(native_transfer=transfer)


def credentials(pki: Path, name: str = "trader", *, authority: Path | None = None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=(authority or pki / "ca.pem").read_bytes(),
        private_key=(pki / f"{name}.key").read_bytes(),
        certificate_chain=(pki / f"{name}.pem").read_bytes(),
    )


def channel(address: str, pki: Path, name: str = "trader") -> grpc.aio.Channel:
    # A pool of its own: channels of other tests to the same port must not be shared.
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100))
    return grpc.aio.secure_channel(address, credentials(pki, name), options)


def signer_stub(connection: grpc.aio.Channel) -> "signer_pb2_grpc.SignerAsyncStub":
    # At run time one class serves both kinds of channel.
    return signer_pb2_grpc.SignerStub(connection)  # type: ignore[return-value]


def admin_stub(connection: grpc.aio.Channel) -> "admin_pb2_grpc.AdminAsyncStub":
    return admin_pb2_grpc.AdminStub(connection)  # type: ignore[return-value]  # as above


def error_infos(error: grpc.aio.AioRpcError) -> list[ErrorInfo]:
    """The ErrorInfo details, in order."""
    found = []
    for packed in _status(error).details:
        info = ErrorInfo()
        if packed.Unpack(info):
            found.append(info)
    return found


def reasons(error: grpc.aio.AioRpcError) -> list[str]:
    """Reasons of the ErrorInfo details, in order."""
    return [info.reason for info in error_infos(error)]


def bad_fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Fields that a BadRequest detail names."""
    fields = []
    for packed in _status(error).details:
        bad = BadRequest()
        if packed.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    return fields


def _status(error: grpc.aio.AioRpcError) -> Status:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            status = Status.FromString(value)
            assert status.code == error.code().value[0]
            return status
    raise AssertionError(f"no details: {error}")
