"""What a message lives by, as the runtime would read it; messages are made by Solana's own encoder."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, from_bytes_versioned
from solders.pubkey import Pubkey

from signer.decode.solana.lifetime import (
    RECENT_BLOCKHASHES,
    DurableNonce,
    RecentBlockhash,
    lifetime_of,
    with_blockhash,
)
from signer.decode.solana.message import parse_message
from signer.domain.solana import SYSTEM_PROGRAM, Blockhash, SolanaKey
from tests.testbed.solana import advance, message, pay

PAYER, NONCE, AUTHORITY, OTHER = (SolanaKey(bytes([number]) * 32) for number in range(1, 5))
VALUE = Blockhash(bytes(range(32)))
FRESH = Blockhash(bytes(range(100, 132)))
PAYMENT = pay(PAYER, OTHER, 5)
PLAIN = message(PAYER, VALUE, PAYMENT)
DURABLE = message(PAYER, VALUE, advance(NONCE, AUTHORITY), PAYMENT)


def test_an_ordinary_message_lives_by_its_blockhash() -> None:
    assert lifetime_of(PLAIN) == RecentBlockhash(blockhash=VALUE)


def test_a_message_that_advances_a_nonce_first_lives_by_the_nonce() -> None:
    assert lifetime_of(DURABLE) == DurableNonce(account=NONCE, authority=AUTHORITY, value=VALUE)


def test_the_payer_may_be_the_authority() -> None:
    durable = message(PAYER, VALUE, advance(NONCE, PAYER), PAYMENT)

    assert lifetime_of(durable) == DurableNonce(account=NONCE, authority=PAYER, value=VALUE)


def test_a_legacy_message_is_read_as_well() -> None:
    legacy = bytes(
        Message.new_with_blockhash(
            [advance(NONCE, AUTHORITY), PAYMENT], Pubkey.from_bytes(PAYER), Hash.from_bytes(VALUE)
        )
    )

    assert lifetime_of(legacy) == lifetime_of(DURABLE)


def test_nothing_but_the_blockhash_is_renewed() -> None:
    renewed = with_blockhash(PLAIN, FRESH)

    assert renewed == message(PAYER, FRESH, PAYMENT)
    at = parse_message(PLAIN).blockhash_at
    assert (renewed[:at], renewed[at + 32 :]) == (PLAIN[:at], PLAIN[at + 32 :])


def test_a_durable_nonce_is_never_renewed() -> None:
    with pytest.raises(ValueError, match="cannot be renewed"):
        with_blockhash(DURABLE, FRESH)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_blockhash_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} bytes; 32 are allowed"):
        with_blockhash(PLAIN, Blockhash(bytes(length)))


def _nonce_of(
    accounts: Sequence[tuple[SolanaKey, bool, bool]], data: bytes = b"\x04\0\0\0"
) -> Callable[[], bytes]:
    """A message whose first instruction is the System program's, with (key, signs, is writable)."""

    def made() -> bytes:
        metas = [AccountMeta(Pubkey.from_bytes(key), signs, writes) for key, signs, writes in accounts]
        first = Instruction(Pubkey.from_bytes(SYSTEM_PROGRAM), data, metas)
        return message(PAYER, VALUE, first, PAYMENT)

    return made


_NONCE, _SYSVAR, _AUTHORITY = (
    (NONCE, False, True),
    (RECENT_BLOCKHASHES, False, False),
    (AUTHORITY, True, False),
)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (_nonce_of([_NONCE, _SYSVAR, _AUTHORITY], b"\x04\0\0\0\0"), "5 bytes of data; 4 are allowed"),
        (_nonce_of([_NONCE, _SYSVAR]), "other accounts than allowed"),
        (_nonce_of([]), "other accounts than allowed"),
        (_nonce_of([_NONCE, _SYSVAR, _AUTHORITY, (OTHER, False, False)]), "other accounts than allowed"),
        (_nonce_of([_NONCE, (OTHER, False, False), _AUTHORITY]), "its second account is .*; SysvarRecentB1"),
        (_nonce_of([_SYSVAR, _NONCE, _AUTHORITY]), "its second account is"),
        (_nonce_of([(NONCE, False, False), _SYSVAR, _AUTHORITY]), "must be writable"),
        (_nonce_of([_NONCE, _SYSVAR, (AUTHORITY, False, False)]), "the authority .* must sign"),
        (_nonce_of([(NONCE, True, True), _SYSVAR, (NONCE, True, True)]), "its own authority"),
        (
            lambda: message(PAYER, VALUE, PAYMENT, advance(NONCE, AUTHORITY)),
            "instruction 1: it is allowed once",
        ),
        (
            lambda: message(PAYER, VALUE, advance(NONCE, AUTHORITY), PAYMENT, advance(OTHER, AUTHORITY)),
            "instruction 0, instruction 2: it is allowed once",
        ),
    ],
    ids=itertools.count(),
)
def test_what_is_not_clearly_one_or_the_other_is_refused(made: Callable[[], bytes], problem: str) -> None:
    raw = made()

    with pytest.raises(ValueError, match=problem):
        lifetime_of(raw)
    with pytest.raises(ValueError, match=problem):
        with_blockhash(raw, FRESH)


def test_a_nonce_account_out_of_a_lookup_table_is_refused() -> None:
    # Solana's own encoder makes no such message, so it is written by hand.
    keys = b"\x04" + PAYER + AUTHORITY + RECENT_BLOCKHASHES + SYSTEM_PROGRAM
    advanced = b"\x01" + b"\x03\x03\x04\x02\x01" + b"\x04\x04\0\0\0"
    table = b"\x01" + OTHER + b"\x01\x00" + b"\x00"
    raw = b"\x80\x02\x01\x02" + keys + VALUE + advanced + table
    assert parse_message(raw).loaded_keys == 1

    with pytest.raises(ValueError, match="each in the message itself"):
        lifetime_of(raw)


def test_only_the_system_program_advances_a_nonce() -> None:
    like = advance(NONCE, AUTHORITY)
    foreign = Instruction(Pubkey.from_bytes(OTHER), like.data, like.accounts)

    assert isinstance(lifetime_of(message(PAYER, VALUE, foreign)), RecentBlockhash)


KEYS = PAYER + NONCE + SYSTEM_PROGRAM


def _raw(header: bytes, instruction: bytes, keys: bytes = KEYS) -> bytes:
    return b"\x80" + header + bytes((len(keys) // 32,)) + keys + VALUE + b"\x01" + instruction + b"\0"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (_raw(b"\x01\x01\x01", b"\x02\0\0"), "the fee payer must be writable"),
        (_raw(b"\x02\x00\x02", b"\x02\0\0"), "no more than there are"),
        (_raw(b"\x01\x00\x01", b"\x02\0\0", PAYER + NONCE + NONCE), "a key is listed twice"),
        (_raw(b"\x01\x00\x01", b"\x03\0\0"), "names key 3 as its program; 1 to 2 are allowed"),
        (_raw(b"\x01\x00\x01", b"\x00\0\0"), "names key 0 as its program"),
        (_raw(b"\x01\x00\x01", b"\x02\x01\x03\0"), "an account beyond the 3 of the message"),
        (_raw(b"\x01\x00\x01", b"\x02\0\0") + b"\0", "1 bytes follow"),
        (_raw(b"\x01\x00\x01", b"\x02\x80\x00\0"), "not a compact-u16"),
        (_raw(b"\x01\x00\x01", b"\x02\xff\xff\x7f\0"), "not a compact-u16"),
        (b"\x81" + PLAIN[1:], "version 1"),
        (b"", "ends at byte 0"),
    ],
    ids=itertools.count(),
)
def test_a_message_that_the_network_would_not_load_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        lifetime_of(raw)


def test_the_encoder_and_we_read_the_same() -> None:
    assert bytes(from_bytes_versioned(DURABLE).recent_blockhash) == parse_message(DURABLE).blockhash
