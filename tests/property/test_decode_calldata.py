"""What an independent encoder writes is read back; what else is read writes back to the same bytes."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from signer.decode.evm.decoder import decode
from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    Erc20Approve,
    NotUnderstood,
    Swap,
    SwapVenue,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.transactions import UINT256_MAX, EvmPayload
from tests.fakes import calldata
from tests.fakes.policies import SWAP, USDC, V2_ROUTER, V3_ROUTER, WETH, account_policy

CONTRACTS = account_policy().contracts()

uint256 = st.integers(0, UINT256_MAX) | st.sampled_from((0, 1, 2**160, UINT256_MAX))
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: Address(f"0x{raw.hex()}"))
fees = st.integers(0, 2**24 - 1)


def _v3(path: list[Address], pool_fees: list[int], amounts: tuple[int, int, int], recipient: Address) -> Swap:
    return Swap(
        venue=SwapVenue.UNISWAP_SWAP_ROUTER02,
        router=V3_ROUTER,
        path=tuple(path),
        fees=tuple(pool_fees),
        amount_in=max(1, amounts[0]),
        minimum_out=amounts[1],
        recipient=recipient,
        deadline=amounts[2],
    )


v2_swaps = st.builds(
    Swap,
    venue=st.just(SwapVenue.UNISWAP_V2_ROUTER02),
    router=st.just(V2_ROUTER),
    path=st.lists(addresses, min_size=2, max_size=4).map(tuple),
    fees=st.just(()),
    amount_in=uint256,
    minimum_out=uint256,
    recipient=addresses,
    deadline=uint256,
)
v3_swaps = st.integers(1, 4).flatmap(
    lambda hops: st.builds(
        _v3,
        st.lists(addresses, min_size=hops + 1, max_size=hops + 1),
        st.lists(fees, min_size=hops, max_size=hops),
        st.tuples(uint256, uint256, uint256),
        addresses,
    )
)
calls = (
    st.builds(Erc20Approve, token=st.sampled_from((WETH, USDC)), spender=addresses, amount=uint256)
    | st.builds(WethDeposit, token=st.just(WETH), amount_wei=uint256)
    | st.builds(WethWithdraw, token=st.just(WETH), amount_wei=uint256)
    | v2_swaps
    | v3_swaps
)


def _is_faithful(action: Action | NotUnderstood, payload: EvmPayload) -> bool:
    """Not understood, or an action that an independent encoder writes as exactly these bytes."""
    if isinstance(action, NotUnderstood):
        return True
    written = [calldata.payload(action), calldata.payload(action, packed=True)]
    return any((payload.data, payload.value_wei) == (one.data, one.value_wei) for one in written)


@given(calls, st.booleans())
def test_what_was_encoded_is_what_is_decoded(action: Action, packed: bool) -> None:
    assert decode(calldata.payload(action, packed=packed), CONTRACTS) == action


@given(calls, st.booleans(), st.data())
def test_one_changed_byte_is_read_as_exactly_what_it_says_or_not_at_all(
    action: Action, packed: bool, data: st.DataObject
) -> None:
    payload = calldata.payload(action, packed=packed)
    changed = bytearray(payload.data)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    mutated = replace(payload, data=bytes(changed))

    assert _is_faithful(decode(mutated, CONTRACTS), mutated)


@given(calls, st.booleans(), st.data())
def test_one_changed_word_is_read_as_exactly_what_it_says_or_not_at_all(
    action: Action, packed: bool, data: st.DataObject
) -> None:
    payload = calldata.payload(action, packed=packed)
    at = 4 + 32 * data.draw(st.integers(0, len(payload.data) // 32))
    word = data.draw(st.integers(0, 0x200) | uint256).to_bytes(32, "big")
    mutated = replace(payload, data=payload.data[:at] + word + payload.data[at + 32 :])

    assert _is_faithful(decode(mutated, CONTRACTS), mutated)


@given(calls, st.booleans(), st.data())
def test_calldata_that_was_cut_is_not_understood(action: Action, packed: bool, data: st.DataObject) -> None:
    payload = calldata.payload(action, packed=packed)
    shorter = payload.data[: data.draw(st.integers(0, len(payload.data) - 1))]

    assert isinstance(decode(replace(payload, data=shorter), CONTRACTS), NotUnderstood)


@given(calls, st.booleans(), st.binary(min_size=1, max_size=64))
@example(SWAP, False, bytes(32))
def test_calldata_that_was_extended_is_not_understood(action: Action, packed: bool, more: bytes) -> None:
    payload = calldata.payload(action, packed=packed)

    assert isinstance(decode(replace(payload, data=payload.data + more), CONTRACTS), NotUnderstood)


@given(st.sampled_from((WETH, USDC, V2_ROUTER, V3_ROUTER)), st.binary(max_size=600), uint256)
def test_arbitrary_bytes_never_raise(target: Address, data: bytes, value_wei: int) -> None:
    payload = calldata.call(target, data, value_wei)

    assert _is_faithful(decode(payload, CONTRACTS), payload)
