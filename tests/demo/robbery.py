"""The trader's own certificate in the wrong hands: what it asks for, and why the signer refuses."""

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

import grpc
import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.console import Console
from rich.table import Table

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import signer_pb2_grpc as rpc
from protos.airlock.signer.v1 import types_pb2 as types
from tests.fakes import calldata
from tests.testbed.accounts import dev_account
from tests.testbed.bed import Bed
from tests.testbed.signer_program import GWEI, SignerFiles, channel
from tests.testbed.uniswap import ETHER, MAX_UINT256, USDX_UNIT, World

THIEF = dev_account(8).address
BURST = 60
AMOUNT_IN = 2_000 * USDX_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request of the thief, and what it is after."""

    title: str
    account: str
    to: str
    data: bytes
    claim: types.Claim
    value_wei: int = 0
    max_fee_per_gas_wei: int = 20 * GWEI


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the thief knows: the contracts, the account, and what 2,000 USDX are worth in ABC now."""

    world: World
    account: str
    quoted_out: int

    @property
    def own(self) -> str:
        """Address of the account."""
        return self.account.rpartition(":")[2]

    @property
    def fair_minimum(self) -> int:
        """Minimum out that the policy's 50 bps allow."""
        return self.quoted_out * 9_960 // 10_000


async def rob(console: Console, bed: Bed, files: SignerFiles) -> int:
    """Try everything; returns how many kinds of robbery were refused."""
    table = Table("attempt", "answer", "reasons", title="what the thief asks", title_justify="left")
    refused = 0
    markets = [
        Market(world=bed.world, account=account, quoted_out=await _quote(bed)) for account in files.accounts
    ]
    async with channel(files) as connection:
        stub = cast("rpc.SignerAsyncStub", rpc.SignerStub(connection))
        for attempt in attempts(markets[0]):
            answer = await _ask(stub, attempt)
            refused += answer.code is grpc.StatusCode.PERMISSION_DENIED
            table.add_row(attempt.title, _verdict(answer), "\n".join(answer.reasons))
        answers = await asyncio.gather(*(_ask(stub, honest(markets[1])) for _ in range(BURST)))
    signed = sum(1 for answer in answers if answer.code is grpc.StatusCode.OK)
    over = [answer for answer in answers if answer.code is grpc.StatusCode.PERMISSION_DENIED]
    if over:
        refused += 1
        title = f"{BURST} swaps of 2,000 USDX at once, from another account"
        table.add_row(title, f"{signed} signed,\n{len(over)} denied", "\n".join(over[0].reasons))
    console.print(table)
    return refused


def attempts(market: Market) -> Iterable[Attempt]:
    """The robberies, each one step away from an honest request."""
    world, swap = market.world, honest(market)
    transfer = types.NativeTransferClaim(recipient=THIEF, amount=str(ETHER))
    yield Attempt(
        title="send 1 ETH to the thief",
        account=market.account,
        to=THIEF,
        data=b"",
        value_wei=ETHER,
        claim=types.Claim(native_transfer=transfer),
    )
    stolen = _swap(market, recipient=THIEF, minimum_out=market.fair_minimum)
    yield replace(swap, title="an honest swap, paid out to the thief", data=stolen)
    yield _approval("approve the router without limit", market, world.v2_router, MAX_UINT256)
    yield _approval("approve the thief", market, THIEF, USDX_UNIT)
    yield replace(
        swap,
        title="a swap with minimum out 0",
        data=_swap(market, recipient=market.own, minimum_out=0),
        claim=_claim(market, minimum_out=0),
    )
    yield replace(swap, title="an honest swap at ten times the gas price", max_fee_per_gas_wei=200 * GWEI)


def honest(market: Market) -> Attempt:
    """What the trader's strategy would ask: 2,000 USDX for ABC within 50 bps."""
    minimum_out = market.fair_minimum
    return Attempt(
        title="an honest swap",
        account=market.account,
        to=market.world.v2_router,
        data=_swap(market, recipient=market.own, minimum_out=minimum_out),
        claim=_claim(market, minimum_out=minimum_out),
    )


def _approval(title: str, market: Market, spender: str, amount: int) -> Attempt:
    token = market.world.usdx
    claim = types.ApproveClaim(token=token, spender=spender, amount=str(amount))
    return Attempt(
        title=title,
        account=market.account,
        to=token,
        data=calldata.approve(spender, amount),
        claim=types.Claim(approve=claim),
    )


def _swap(market: Market, *, recipient: str, minimum_out: int) -> bytes:
    path = (market.world.usdx, market.world.abc)
    return calldata.swap_exact_tokens_for_tokens(
        AMOUNT_IN, minimum_out, path, recipient, int(time.time()) + 60
    )


def _claim(market: Market, *, minimum_out: int) -> types.Claim:
    return types.Claim(
        swap=types.SwapClaim(
            token_in=market.world.usdx,
            token_out=market.world.abc,
            amount_in=str(AMOUNT_IN),
            minimum_out=str(minimum_out),
            quoted_out=str(market.quoted_out),
            quote_time_unix_ms=time.time_ns() // 1_000_000,
        )
    )


async def _quote(bed: Bed) -> int:
    path = [bed.world.usdx, bed.world.abc]
    answer = await bed.anvil.call(
        bed.world.v2_router, "getAmountsOut(uint256,address[])", AMOUNT_IN, path, returns="(uint256[])"
    )
    amounts = cast("tuple[tuple[int, ...]]", answer)[0]
    return amounts[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    code: grpc.StatusCode
    reasons: tuple[str, ...] = ()


_numbers = itertools.count(1)


async def _ask(stub: "rpc.SignerAsyncStub", attempt: Attempt) -> _Answer:
    request = pb.SignEvmTransactionRequest(
        idempotency_key=f"robbery-{next(_numbers):012d}",
        account=attempt.account,
        transaction=types.EvmTransaction(
            to=attempt.to,
            value_wei=str(attempt.value_wei),
            data=attempt.data,
            gas_limit=200_000,
            max_fee_per_gas_wei=str(attempt.max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=str(GWEI),
        ),
        claim=attempt.claim,
    )
    try:
        await stub.SignEvmTransaction(request)
    except grpc.aio.AioRpcError as error:
        return _Answer(code=error.code(), reasons=tuple(_reasons(error)))
    return _Answer(code=grpc.StatusCode.OK)


def _reasons(error: grpc.aio.AioRpcError) -> Iterable[str]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # takes the error of grpc.aio too
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            yield f"{info.reason}\n  allowed {_short(info, 'limit')}\n  asked   {_short(info, 'actual')}"


def _verdict(answer: _Answer) -> str:
    denied = answer.code is grpc.StatusCode.PERMISSION_DENIED
    return "denied" if denied else f"[bold red]{answer.code.name}"


def _short(info: error_details_pb2.ErrorInfo, field: str) -> str:
    said, unit = info.metadata[field], info.metadata["unit"].split(" of ")[0]
    first, *more = said.split()
    if first.startswith("0x"):
        shortened = f"{first[:8]}…{first[-4:]}"
        return shortened if not more else f"{shortened} or {len(more)} more"
    if not said.isdigit():
        return said
    return f"{said[:20]}… {unit}" if len(said) > _READABLE_DIGITS else f"{said} {unit}"


_READABLE_DIGITS = 24
