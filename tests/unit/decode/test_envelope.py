import pytest
import rlp  # an independent codec
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from signer.decode.evm.envelope import decode_signed, encode_signed, payload_hash, signing_hash
from signer.domain.accounts import Address
from signer.domain.transactions import EvmPayload, EvmSignature, UnsignedEvmTransaction

TO = Address("0x" + "42" * 20)
TRANSACTION = UnsignedEvmTransaction(
    chain_id=31337,
    nonce=0,
    payload=EvmPayload(
        to=TO,
        value_wei=10**18,
        data=bytes(range(200)),
        gas_limit=200_000,
        max_fee_per_gas_wei=30 * 10**9,
        max_priority_fee_per_gas_wei=0,
    ),
)
SIGNATURE = EvmSignature(r=2**255, s=2**254, y_parity=1)


def _items(*, signed: bool = True) -> list[object]:
    payload = TRANSACTION.payload
    unsigned: list[object] = [31337, 0, 0, payload.max_fee_per_gas_wei, payload.gas_limit]
    unsigned += [bytes.fromhex(TO[2:]), payload.value_wei, payload.data, []]
    return [*unsigned, SIGNATURE.y_parity, SIGNATURE.r, SIGNATURE.s] if signed else unsigned


def _raw(items: list[object]) -> bytes:
    encoded: bytes = rlp.encode(items)
    return b"\x02" + encoded


def test_the_signing_hash_is_that_of_eth_account() -> None:
    payload = TRANSACTION.payload
    theirs = TypedTransaction.from_dict(
        {
            "type": 2,
            "chainId": TRANSACTION.chain_id,
            "nonce": TRANSACTION.nonce,
            "to": TO,
            "value": payload.value_wei,
            "data": HexBytes(payload.data),
            "gas": payload.gas_limit,
            "maxFeePerGas": payload.max_fee_per_gas_wei,
            "maxPriorityFeePerGas": payload.max_priority_fee_per_gas_wei,
        }
    )

    assert signing_hash(TRANSACTION) == theirs.hash()
    assert payload_hash(TRANSACTION) == "0x" + theirs.hash().hex().removeprefix("0x")


def test_signed_bytes_are_those_of_an_independent_codec() -> None:
    signed = encode_signed(TRANSACTION, SIGNATURE)

    assert signed.raw == _raw(_items())
    assert decode_signed(signed.raw) == (TRANSACTION, SIGNATURE)


def test_a_node_recovers_the_sender_from_our_bytes() -> None:
    account = Account.create("only for this test")
    signature = account.unsafe_sign_hash(signing_hash(TRANSACTION))
    ours = EvmSignature(r=signature.r, s=signature.s, y_parity=signature.v - 27)

    assert Account.recover_transaction(encode_signed(TRANSACTION, ours).raw) == account.address


def _with(index: int, value: object) -> bytes:
    items = _items()
    items[index] = value
    return _raw(items)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "type byte is absent"),
        (b"\x01" + _raw(_items())[1:], "type byte is 01"),
        (b"\x02", "a list is expected at byte 0"),
        (b"\x02\x80", "a list is expected at byte 0"),
        (_raw(_items()) + b"\x00", "1 bytes follow the list"),
        (_raw(_items())[:-1], "cut short"),
        (_raw(_items(signed=False)), "has 9 fields: 12 are allowed"),
        (_with(0, []), "chain_id must be an integer, not a list"),
        (_with(0, [1]), "a list inside the list must be empty"),
        (_with(0, 2**64), "chain_id must be at most"),
        (_with(1, 2**64 - 1), "nonce must be at most"),
        (_with(1, b"\x00"), "not the canonical encoding"),
        (_with(3, 2**256), "max_fee_per_gas must be at most"),
        (_with(4, 2**64), "gas_limit must be at most"),
        (_with(5, b""), "to must be an address of 20 bytes"),
        (_with(5, []), "to must be an address of 20 bytes"),
        (_with(7, []), "data must be at most 16384 bytes"),
        (_with(7, bytes(16_385)), "data must be at most 16384 bytes"),
        (_with(8, b""), "access_list must be empty"),
        (_with(9, 2), "y_parity must be 0 or 1"),
        (_with(10, 0), "r must be from 1"),
        (_with(11, 2**255), "s must be from 1 to half"),
    ],
)
def test_bytes_that_we_would_not_have_encoded_so_are_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_signed(raw)


def test_deeply_nested_lists_do_not_exhaust_the_stack() -> None:
    nested = b"\xc0"
    for _ in range(5_000):
        nested = rlp.codec.length_prefix(len(nested), 192) + nested

    with pytest.raises(ValueError, match="list inside the list"):
        decode_signed(b"\x02" + nested)
