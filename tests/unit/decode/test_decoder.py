from dataclasses import replace

import pytest

from signer.decode.evm.decoder import decode
from signer.domain.accounts import Address
from signer.domain.actions import Action, NotUnderstood, Swap, SwapVenue
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from tests.fakes import calldata
from tests.fakes.policies import (
    APPROVE,
    DAI,
    DEPOSIT,
    OWN,
    SWAP,
    THIEF,
    TRANSFER,
    USDC,
    V2_ROUTER,
    V3_ROUTER,
    WETH,
    WITHDRAW,
    account_policy,
)

CONTRACTS = account_policy().contracts()
V3_SWAP = replace(
    SWAP, venue=SwapVenue.UNISWAP_SWAP_ROUTER02, router=V3_ROUTER, path=(WETH, USDC), fees=(3000,)
)
MULTIHOP = replace(V3_SWAP, path=(WETH, DAI, USDC), fees=(500, 100))


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _refused(payload: EvmPayload) -> tuple[DenyReason, str, str]:
    action = decode(payload, CONTRACTS)
    assert isinstance(action, NotUnderstood)
    return action.violation.reason, action.violation.limit, action.violation.actual


@pytest.mark.parametrize("action", [TRANSFER, APPROVE, DEPOSIT, WITHDRAW, SWAP, V3_SWAP, MULTIHOP])
def test_what_is_known_is_read_to_the_last_byte(action: Action) -> None:
    payload = calldata.payload(action)

    assert decode(payload, CONTRACTS) == action
    assert isinstance(decode(replace(payload, data=payload.data + b"\0"), CONTRACTS), NotUnderstood)


def test_one_hop_may_come_as_a_packed_path() -> None:
    assert decode(calldata.payload(V3_SWAP, packed=True), CONTRACTS) == V3_SWAP


def test_usdc_is_approved_like_weth() -> None:
    action = replace(APPROVE, token=USDC)

    assert decode(calldata.payload(action), CONTRACTS) == action


def test_calldata_to_an_unlisted_contract_is_not_read() -> None:
    assert _refused(calldata.call(THIEF, b"\0")) == (
        DenyReason.CONTRACT_NOT_ALLOWED,
        "a contract listed in the policy",
        THIEF,
    )


@pytest.mark.parametrize("target", [WETH, USDC, V2_ROUTER, V3_ROUTER])
def test_coins_sent_to_a_listed_contract_without_calldata_are_not_a_transfer(target: Address) -> None:
    reason, _, actual = _refused(calldata.call(target, b"", 5))

    assert (reason, actual) == (DenyReason.NOT_UNDERSTOOD, "0x at byte 0")


@pytest.mark.parametrize(
    ("target", "selector"),
    [
        (WETH, "a9059cbb"),  # transfer
        (WETH, "38ed1739"),  # a router's selector means nothing to a token
        (USDC, "d505accf"),  # permit
        (USDC, "d0e30db0"),  # deposit, of WETH only
        (V2_ROUTER, "7ff36ab5"),  # swapExactETHForTokens
        (V3_ROUTER, "04e45aaf"),  # exactInputSingle without a deadline
        (V3_ROUTER, "ac9650d8"),  # multicall without a deadline
    ],
)
def test_any_other_selector_is_refused_with_those_that_are_known(target: Address, selector: str) -> None:
    reason, limit, actual = _refused(calldata.call(target, bytes.fromhex(selector) + bytes(64)))

    assert reason is DenyReason.NOT_UNDERSTOOD
    assert actual == f"0x{selector} at byte 0"
    assert limit.startswith("selector: 0x")


@pytest.mark.parametrize("action", [APPROVE, WITHDRAW, SWAP, V3_SWAP, MULTIHOP])
def test_coins_beside_a_call_that_takes_none_are_refused(action: Action) -> None:
    payload = replace(calldata.payload(action), value_wei=7)

    assert _refused(payload) == (DenyReason.UNEXPECTED_VALUE, "0", "7")


def test_a_cut_word_is_refused_where_it_begins() -> None:
    payload = calldata.payload(WITHDRAW)

    assert _refused(replace(payload, data=payload.data[:-1]))[1:] == (
        "amount: 32 bytes",
        "31 bytes at byte 4",
    )


def test_dirt_before_an_address_is_refused() -> None:
    data = bytearray(calldata.payload(APPROVE).data)
    data[4] = 1

    assert _refused(calldata.call(WETH, bytes(data)))[1:] == (
        "spender: 12 zero bytes before the address",
        "010000000000000000000000 at byte 4",
    )


def test_a_path_elsewhere_in_the_calldata_is_refused() -> None:
    # The contract would follow the offset and find the same path 32 bytes later.
    data = calldata.payload(SWAP).data
    head, tail = data[:164], data[164:]
    moved = head[:68] + _word(0xC0) + head[100:] + bytes(32) + tail

    assert _refused(calldata.call(V2_ROUTER, moved))[1:] == ("offset of path: 0xa0", "0xc0 at byte 68")


@pytest.mark.parametrize("path", [(WETH,), (WETH, DAI, USDC, OWN, THIEF)])
def test_a_v2_path_has_two_to_four_tokens(path: tuple[Address, ...]) -> None:
    _, limit, actual = _refused(calldata.payload(replace(SWAP, path=path)))

    assert limit == "length of path: 2 to 4 tokens"
    assert actual == f"{len(path)} at byte 164"


def _multicall(*calls: bytes) -> EvmPayload:
    return calldata.call(V3_ROUTER, calldata.multicall(SWAP.deadline, list(calls)))


SINGLE = calldata.exact_input_single((WETH, USDC), 3000, OWN, 1_000, 900)


@pytest.mark.parametrize("calls", [(), (SINGLE, SINGLE), (SINGLE, bytes.fromhex("12210e8a"))])
def test_a_multicall_holds_exactly_one_swap(calls: tuple[bytes, ...]) -> None:
    _, limit, actual = _refused(_multicall(*calls))

    assert limit == "number of calls: 0x1"
    assert actual == f"{len(calls):#x} at byte 68"


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"\x04\xe4",
        bytes.fromhex("42712a67") + bytes(96),  # swapTokensForExactTokens
        bytes.fromhex("49404b7c") + bytes(64),  # unwrapWETH9
        calldata.multicall(1, [SINGLE]),  # a multicall in a multicall
    ],
)
def test_any_other_inner_call_is_refused_at_its_own_byte(inner: bytes) -> None:
    _, limit, actual = _refused(_multicall(inner))

    assert limit == "selector: 0x04e45aaf or 0xb858183f"
    assert actual == f"0x{inner[:4].hex()} at byte 164"


def test_an_inner_call_with_a_trailing_byte_is_refused() -> None:
    assert _refused(_multicall(SINGLE + b"\0"))[2] == "1 bytes at byte 392"


def test_dirty_padding_after_the_inner_call_is_refused() -> None:
    data = bytearray(_multicall(SINGLE).data)
    data[-1] = 1

    assert _refused(calldata.call(V3_ROUTER, bytes(data)))[1] == "calls[0]: zero padding"


def test_a_length_beyond_the_calldata_is_refused() -> None:
    data = bytearray(_multicall(SINGLE).data)
    data[132:164] = _word(2**255)

    assert _refused(calldata.call(V3_ROUTER, bytes(data)))[1] == "calls[0]: at most 256 bytes"


def test_a_price_limit_that_could_stop_the_swap_half_way_is_refused() -> None:
    inner = calldata.exact_input_single((WETH, USDC), 3000, OWN, 1_000, 900, price_limit=1)

    assert _refused(_multicall(inner))[1:] == ("sqrtPriceLimitX96: 0x0", "0x1 at byte 360")


def test_a_pool_fee_has_24_bits() -> None:
    data = bytearray(SINGLE)
    data[4 + 64 : 4 + 96] = _word(2**24)

    assert _refused(_multicall(bytes(data)))[1:] == ("fee: uint24", "0x1000000 at byte 232")


@pytest.mark.parametrize(
    "inner",
    [
        calldata.exact_input_single((WETH, USDC), 3000, OWN, 0, 900),
        calldata.exact_input(calldata.packed_path((WETH, USDC), (500,)), OWN, 0, 900),
    ],
)
def test_an_amount_of_zero_which_means_the_routers_balance_is_refused(inner: bytes) -> None:
    assert _refused(_multicall(inner))[1] == "amountIn: more than 0"


@pytest.mark.parametrize("length", [0, 20, 42, 44, 65, 20 + 5 * 23])
def test_a_packed_path_is_whole_hops_one_to_four(length: int) -> None:
    reason, limit, actual = _refused(_multicall(calldata.exact_input(bytes(length), OWN, 1, 1)))

    assert reason is DenyReason.NOT_UNDERSTOOD
    assert limit == "length of path: one of (43, 66, 89, 112)"
    assert actual.startswith(f"{length} at byte")


@pytest.mark.parametrize("marker", ["0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02"])
def test_the_routers_recipient_markers_are_kept_literally_for_the_policy_to_refuse(marker: str) -> None:
    action = decode(calldata.payload(replace(V3_SWAP, recipient=Address(marker))), CONTRACTS)

    assert isinstance(action, Swap)
    assert action.recipient == marker
