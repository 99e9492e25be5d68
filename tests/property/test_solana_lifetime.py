"""Lifetimes of arbitrary messages: ours against Solana's own encoder and its own rule for durable nonces."""

from hypothesis import given
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from signer.decode.solana.lifetime import (
    RECENT_BLOCKHASHES,
    DurableNonce,
    RecentBlockhash,
    lifetime_of,
    with_blockhash,
)
from signer.decode.solana.message import parse_message
from signer.domain.solana import SYSTEM_PROGRAM, Blockhash

_POOL = [Pubkey.from_bytes(bytes([number]) * 32) for number in range(1, 9)]
_SYSVAR, _SYSTEM = Pubkey.from_bytes(RECENT_BLOCKHASHES), Pubkey.from_bytes(SYSTEM_PROGRAM)
_ADVANCE = b"\x04\0\0\0"

hashes = st.binary(min_size=32, max_size=32)
metas = st.builds(AccountMeta, st.sampled_from([*_POOL, _SYSVAR]), st.booleans(), st.booleans())
instructions = st.builds(
    Instruction,
    st.sampled_from([_SYSTEM, *_POOL[5:]]),
    st.one_of(st.binary(max_size=200), st.just(_ADVANCE), st.just(_ADVANCE + b"\0")),
    st.lists(metas, max_size=4),
)
advances = st.builds(
    lambda nonce, authority: Instruction(
        _SYSTEM,
        _ADVANCE,
        [
            AccountMeta(nonce, False, True),
            AccountMeta(_SYSVAR, False, False),
            AccountMeta(authority, True, False),
        ],
    ),
    st.sampled_from(_POOL),
    st.sampled_from(_POOL),
)


@st.composite
def messages(draw: st.DrawFn) -> MessageV0:
    listed = draw(st.lists(instructions, max_size=4))
    if draw(st.booleans()):
        listed.insert(0, draw(advances))
    tables = [AddressLookupTableAccount(_POOL[0], _POOL[2:4])] if draw(st.booleans()) else []
    return MessageV0.try_compile(_POOL[1], listed, tables, Hash.from_bytes(draw(hashes)))


def _lifetime(raw: bytes) -> RecentBlockhash | DurableNonce | None:
    try:
        return lifetime_of(raw)
    except ValueError:
        return None


@given(messages())
def test_what_is_accepted_is_what_the_network_takes_it_for(message: MessageV0) -> None:
    lifetime = _lifetime(to_bytes_versioned(message))

    unsigned = [Signature.default()] * message.header.num_required_signatures
    durable = VersionedTransaction.populate(message, unsigned).uses_durable_nonce()
    if lifetime is not None:
        assert isinstance(lifetime, DurableNonce) == durable


@given(messages(), hashes)
def test_a_renewed_message_differs_in_its_blockhash_and_nothing_else(
    message: MessageV0, fresh: bytes
) -> None:
    raw = to_bytes_versioned(message)
    if not isinstance(_lifetime(raw), RecentBlockhash):
        return

    renewed = with_blockhash(raw, Blockhash(fresh))

    again = from_bytes_versioned(renewed)
    assert isinstance(again, MessageV0)
    assert bytes(again.recent_blockhash) == fresh
    assert (again.header, again.account_keys, again.instructions, again.address_table_lookups) == (
        message.header, message.account_keys, message.instructions, message.address_table_lookups
    )  # fmt: skip
    assert with_blockhash(renewed, parse_message(raw).blockhash) == raw


@given(messages(), st.data())
def test_bytes_that_were_tampered_with_are_refused_or_read_as_the_network_does(
    message: MessageV0, data: st.DataObject
) -> None:
    raw = bytearray(to_bytes_versioned(message))
    raw[data.draw(st.integers(1, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    lifetime = _lifetime(bytes(raw))

    if lifetime is not None:
        again = from_bytes_versioned(bytes(raw))
        unsigned = [Signature.default()] * again.header.num_required_signatures
        durable = VersionedTransaction.populate(again, unsigned).uses_durable_nonce()
        assert isinstance(lifetime, DurableNonce) == durable
