"""Transactions that others made on public chains, where those vectors are at hand."""

import json
from pathlib import Path
from typing import TypedDict

import pytest

from signer.decode.evm.decoder import decode
from signer.decode.evm.envelope import encode_signed, signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import Address, parse_address
from signer.domain.actions import ContractKind, NotUnderstood, Swap
from signer.domain.transactions import EvmPayload, EvmSignature, UnsignedEvmTransaction
from tests.fakes import calldata

VECTORS = Path(__file__).parents[3].parent / "shared" / "vectors" / "uniswap" / "calldata.json"

V2_ROUTER = parse_address("0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D")
V3_ROUTER = parse_address("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45")
CONTRACTS = {
    V2_ROUTER: ContractKind.UNISWAP_V2_ROUTER02,
    V3_ROUTER: ContractKind.UNISWAP_SWAP_ROUTER02,
}


class Vector(TypedDict):
    to: str
    kind: str
    data: str


def _vectors() -> list[Vector]:
    if not VECTORS.exists():
        pytest.skip("vectors of public transactions are not beside the project")
    loaded: list[Vector] = json.loads(VECTORS.read_text())
    return loaded


def _payload(vector: Vector) -> EvmPayload:
    return calldata.call(parse_address(vector["to"]), bytes.fromhex(vector["data"][2:]))


def _decoded(kind: str) -> list[object]:
    return [decode(_payload(vector), CONTRACTS) for vector in _vectors() if vector["kind"] == kind]


def test_a_two_hop_swap_of_mainnet_reads_whole() -> None:
    (swap,) = _decoded("SwapRouter02.multicall(deadline)[exactInput]")

    assert isinstance(swap, Swap)
    assert swap.path == (
        Address("0x88800092ff476844f74dc2fc427974bbee2794ae"),
        Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
        Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),
    )
    assert swap.fees == (10_000, 500)
    assert swap.amount_in == 1_000 * 10**18
    assert swap.minimum_out == 0x835074
    assert swap.deadline == 0x64C23653


def test_a_swap_of_mainnet_without_a_deadline_reads_once_it_has_one() -> None:
    for vector in _vectors():
        if vector["kind"] != "SwapRouter02.exactInputSingle":
            continue
        bare = _payload(vector)
        wrapped = calldata.call(V3_ROUTER, calldata.multicall(1, [bare.data]))

        assert isinstance(decode(bare, CONTRACTS), NotUnderstood)
        assert isinstance(decode(wrapped, CONTRACTS), Swap)


@pytest.mark.parametrize(
    "kind",
    ["SwapRouter02.multicall(deadline)[swapTokensForExactTokens]", "V2Router02.swapExactETHForTokens"],
)
def test_other_functions_of_the_same_routers_are_not_understood(kind: str) -> None:
    assert all(isinstance(action, NotUnderstood) for action in _decoded(kind))
    assert _decoded(kind)


def test_the_hash_and_sender_of_a_mainnet_transaction_come_out() -> None:
    # 0x35f07f52…, block of 2026-05-01: its sender is its recipient.
    vector = _vectors()[0]
    transaction = UnsignedEvmTransaction(
        chain_id=1,
        nonce=145,
        payload=EvmPayload(
            to=V3_ROUTER,
            value_wei=0,
            data=bytes.fromhex(vector["data"][2:]),
            gas_limit=200_041,
            max_fee_per_gas_wei=572_754_988,
            max_priority_fee_per_gas_wei=100,
        ),
    )
    signature = EvmSignature(
        r=0xE84F778FD15A101021B534FB9B1DE86198CF3FD2B4491DDFDAF3BF894B362F27,
        s=0x20819C56A86698CE9F5F77E64F8C5842319B9334625F0F65C7B375B6C3F5B13E,
        y_parity=0,
    )

    assert encode_signed(transaction, signature).hash == (
        "0x35f07f52e188da00092ebfca9fe7f1ba795d8a729f267bc80cf6fad24438493f"
    )
    assert recover_address(signing_hash(transaction), signature) == (
        "0x74d9c49327f92b45f3136ae5304079e0204c6f69"
    )
