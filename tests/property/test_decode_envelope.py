"""Envelopes against an independent codec: both agree on every transaction, and nothing else is accepted."""

from typing import TypeAlias

import rlp
from hypothesis import given
from hypothesis import strategies as st

from signer.decode.evm.envelope import decode_signed, encode_signed
from signer.decode.evm.recovery import ORDER
from signer.domain.accounts import Address
from signer.domain.transactions import UINT256_MAX, EvmPayload, EvmSignature, UnsignedEvmTransaction

Signed: TypeAlias = tuple[UnsignedEvmTransaction, EvmSignature]

uint64 = st.integers(0, 2**64 - 2)
uint256 = st.integers(0, UINT256_MAX)
payloads = st.builds(
    EvmPayload,
    to=st.binary(min_size=20, max_size=20).map(lambda raw: Address(f"0x{raw.hex()}")),
    value_wei=uint256,
    data=st.binary(max_size=300) | st.binary(max_size=1),
    gas_limit=uint64,
    max_fee_per_gas_wei=uint256,
    max_priority_fee_per_gas_wei=uint256,
)
signed = st.tuples(
    st.builds(UnsignedEvmTransaction, chain_id=uint64, nonce=uint64, payload=payloads),
    st.builds(
        EvmSignature,
        r=st.integers(1, ORDER - 1),
        s=st.integers(1, ORDER // 2),
        y_parity=st.integers(0, 1),
    ),
)


@given(signed)
def test_our_bytes_are_those_of_an_independent_codec_and_read_back(both: Signed) -> None:
    transaction, signature = both
    payload = transaction.payload

    raw = encode_signed(transaction, signature).raw

    theirs: bytes = rlp.encode(
        [
            transaction.chain_id,
            transaction.nonce,
            payload.max_priority_fee_per_gas_wei,
            payload.max_fee_per_gas_wei,
            payload.gas_limit,
            bytes.fromhex(payload.to[2:]),
            payload.value_wei,
            payload.data,
            [],
            signature.y_parity,
            signature.r,
            signature.s,
        ]
    )
    assert raw == b"\x02" + theirs
    assert decode_signed(raw) == both


@given(signed, st.data())
def test_changed_bytes_read_as_exactly_what_they_say_or_are_refused(
    both: Signed, data: st.DataObject
) -> None:
    changed = bytearray(encode_signed(*both).raw)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    _accepts_only_canonical(bytes(changed))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_with_a_value_error(raw: bytes) -> None:
    _accepts_only_canonical(b"\x02" + raw)


def _accepts_only_canonical(raw: bytes) -> None:
    try:
        read = decode_signed(raw)
    except ValueError:
        return
    assert encode_signed(*read).raw == raw
