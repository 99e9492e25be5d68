"""Envelopes, their names, and the texts in which secrets travel: there and back, and nothing else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.adapters.vault.envelope import Envelope, account_of_slug, parse_envelope, slug
from signer.adapters.vault.locked_text import decode_base64, decode_hex, encode_base64
from signer.adapters.vault.secret_batch import opened
from signer.domain.accounts import AccountId

ACCOUNTS = st.builds(
    lambda chain, raw: AccountId(f"eip155:{chain}:0x{raw.hex()}"),
    st.integers(1, 10**18 - 1),
    st.binary(min_size=20, max_size=20),
)
ENVELOPES = st.builds(
    Envelope,
    account=ACCOUNTS,
    ciphertext=st.builds(
        lambda version, raw: f"vault:v{version}:{base64.b64encode(raw).decode()}",
        st.integers(1, 10**9 - 1),
        st.binary(min_size=1, max_size=100),
    ),
    wrapping_key=st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(ENVELOPES)
def test_an_envelope_survives_its_storage(envelope: Envelope) -> None:
    assert parse_envelope(json.loads(json.dumps(envelope.fields()))) == envelope


@given(ENVELOPES, st.sampled_from(["version", "account", "ciphertext", "wrapping_key"]), JSON)
def test_an_edited_envelope_is_refused_or_whole(envelope: Envelope, name: str, value: object) -> None:
    edited = {**envelope.fields(), name: value}

    try:
        parsed = parse_envelope(edited)
    except ValueError:
        return
    assert parsed.fields() == edited


@given(ENVELOPES, st.text(min_size=1, max_size=20), JSON)
def test_an_envelope_with_another_field_is_refused(envelope: Envelope, name: str, value: object) -> None:
    fields = envelope.fields()
    if name in fields:
        return

    with pytest.raises(ValueError, match="its fields are"):
        parse_envelope({**fields, name: value})


@given(ACCOUNTS, ACCOUNTS)
def test_names_of_envelopes_are_one_to_one(first: AccountId, second: AccountId) -> None:
    assert account_of_slug(slug(first)) == first
    assert (slug(first) == slug(second)) == (first == second)


@given(st.binary(max_size=200))
def test_base64_in_place_is_base64(raw: bytes) -> None:
    text = memoryview(bytearray(base64.b64encode(raw)))
    written = memoryview(bytearray(300))

    assert bytes(written[: encode_base64(memoryview(raw), written)]) == base64.b64encode(raw)
    assert bytes(decode_base64(text)) == raw


@given(st.binary(max_size=40))
def test_what_is_no_base64_is_refused(text: bytes) -> None:
    try:
        expected: bytes | None = base64.b64decode(text, validate=True)
    except ValueError:
        expected = None
    try:
        decoded: bytes | None = bytes(decode_base64(memoryview(bytearray(text))))
    except ValueError:
        decoded = None

    assert decoded == expected


@given(st.binary(max_size=200))
def test_hex_in_place_is_hex(raw: bytes) -> None:
    assert bytes(decode_hex(memoryview(bytearray(raw.hex().encode())))) == raw


@given(
    st.lists(st.binary(min_size=1, max_size=64) | st.text(min_size=1, max_size=30), min_size=1, max_size=6)
)
def test_a_batch_is_read_as_json_reads_it(results: list[bytes | str]) -> None:
    items = [
        {"plaintext": base64.b64encode(each).decode(), "reference": ""}
        if isinstance(each, bytes)
        else {"plaintext": "", "error": each, "reference": ""}
        for each in results
    ]
    body = json.dumps({"request_id": "x", "data": {"batch_results": items}, "auth": None})

    found = opened(memoryview(bytearray(body.encode())), len(results))

    assert [bytes(each) if isinstance(each, memoryview) else None for each in found] == [
        each if isinstance(each, bytes) else None for each in results
    ]
