import dataclasses
import itertools
from typing import TypeAlias

import pytest
from google.protobuf.message import Message as ProtobufMessage
from hypothesis import given
from hypothesis import strategies as st

from protos.airlock.signer.v1 import signer_pb2
from signer.api.errors import NotBuiltError
from signer.api.translate import fields
from signer.api.translate.requests import choice_request, evaluate_request, fee_bump_request, sign_request
from signer.domain.accounts import AccountId
from signer.domain.actions import Action
from signer.domain.claims import SwapClaim
from signer.domain.errors import InvalidRequestError
from signer.domain.transactions import MAX_CALLDATA_BYTES, UINT256_MAX
from tests.fakes import calldata, policies, wire

Message: TypeAlias = signer_pb2.SignEvmTransactionRequest
Value: TypeAlias = str | int | bytes | None
ACTIONS = (
    policies.SWAP,
    policies.APPROVE,
    policies.TRANSFER,
    policies.TOKEN_TRANSFER,
    policies.DEPOSIT,
    policies.WITHDRAW,
)


def put(message: Message, path: str, value: Value) -> None:
    """Set the field at `path`, or clear it with None."""
    *parents, name = path.split(".")
    target: ProtobufMessage = message
    for parent in parents:
        target = getattr(target, parent)
    if value is None:
        target.ClearField(name)
    else:
        setattr(target, name, value)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_request_arrives_as_it_was_sent(action: Action) -> None:
    request = sign_request(wire.sign_message("key", action))

    assert request.payload == calldata.payload(action)
    assert request.account == wire.ACCOUNT
    honest = policies.honest_claim(action)
    if isinstance(honest, SwapClaim) and isinstance(request.claim, SwapClaim):
        honest = dataclasses.replace(
            honest, quote_time=request.claim.quote_time, quoted_out=request.claim.quoted_out
        )
    assert request.claim == honest


def test_the_account_becomes_canonical() -> None:
    message = wire.sign_message("key")
    message.account = wire.ACCOUNT.replace(wire.ADDRESS, "0x" + wire.ADDRESS[2:].upper())

    assert sign_request(message).account == AccountId(wire.ACCOUNT)


@pytest.mark.parametrize(
    "spelling", ["", "-1", "+1", "01", "0x10", "1e3", "1_000", " 1", "1.0", "\u0661", "9" * 79]
)
def test_an_amount_that_is_no_canonical_decimal_is_refused(spelling: str) -> None:
    with pytest.raises(InvalidRequestError, match="value_wei"):
        fields.uint256("value_wei", spelling)


def test_an_amount_above_uint256_is_refused() -> None:
    assert fields.uint256("f", str(UINT256_MAX)) == UINT256_MAX
    with pytest.raises(InvalidRequestError, match="2\\^256"):
        fields.uint256("f", str(UINT256_MAX + 1))


@given(st.integers(min_value=0, max_value=UINT256_MAX))
def test_every_uint256_has_exactly_one_spelling(value: int) -> None:
    assert fields.uint256("f", str(value)) == value


@given(st.text(max_size=90))
def test_no_text_crashes_the_parsers(text: str) -> None:
    for parse in (
        lambda: fields.uint256("f", text),
        lambda: fields.address("f", text),
        lambda: fields.account(text),
        lambda: fields.chain_or_all(text),
        lambda: fields.idempotency_key(text),
        lambda: fields.transaction_id(text),
        lambda: fields.transaction_hash(text),
        lambda: fields.cursor_or_now(text),
    ):
        try:
            parse()
        except InvalidRequestError as error:
            assert "allowed" in str(error)  # noqa: PT017 - no exception is fine, too


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("idempotency_key", "short"),
        ("idempotency_key", "\u00e4" * 20),
        ("account", "0x12"),
        ("account", "eip155:0:0x" + "12" * 20),
        ("account", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1:" + "4" * 44),
        ("transaction", None),
        ("transaction.to", ""),
        ("transaction.value_wei", ""),
        ("transaction.gas_limit", 0),
        ("transaction.data", bytes(MAX_CALLDATA_BYTES + 1)),
        ("transaction.max_fee_per_gas_wei", "x"),
        ("transaction.max_priority_fee_per_gas_wei", "9" * 30),
        ("claim", None),
        ("claim.swap.token_in", "0x"),
        ("claim.swap.amount_in", "-5"),
        ("claim.swap.quote_time_unix_ms", 0),
    ],
    ids=itertools.count(),
)
def test_a_malformed_field_is_named(path: str, value: Value) -> None:
    message = wire.sign_message("key")
    put(message, path, value)

    with pytest.raises(InvalidRequestError) as caught:
        sign_request(message)

    assert caught.value.field == path
    assert "allowed" in caught.value.problem


def test_an_unspecified_wrap_direction_is_refused() -> None:
    message = wire.sign_message("key", policies.DEPOSIT)
    message.claim.wrap.direction = 0  # type: ignore[assignment]  # the wire can carry it

    with pytest.raises(InvalidRequestError, match="direction"):
        sign_request(message)


@pytest.mark.parametrize(
    ("field", "value"), [("token", "0x99"), ("recipient", ""), ("amount", "-1"), ("amount", "")]
)
def test_a_malformed_token_transfer_is_named(field: str, value: str) -> None:
    message = wire.sign_message("key", policies.TOKEN_TRANSFER)
    put(message, f"claim.token_transfer.{field}", value)

    with pytest.raises(InvalidRequestError) as caught:
        sign_request(message)

    assert caught.value.field == f"claim.token_transfer.{field}"


@pytest.mark.parametrize(
    ("field", "value"), [("token", "0x" + "99" * 20), ("recipient", "0x" + "99" * 20), ("amount", "1")]
)
def test_the_digest_covers_a_token_transfer(field: str, value: str) -> None:
    message = wire.sign_message("key", policies.TOKEN_TRANSFER)
    before = sign_request(message).request_digest

    put(message, f"claim.token_transfer.{field}", value)

    assert sign_request(message).request_digest != before


def _choice(**changes: str) -> signer_pb2.ChooseAccountRequest:
    request = signer_pb2.ChooseAccountRequest(
        wallet="main", chain="eip155:1", token_in="0x" + "AB" * 20, amount_in="7"
    )
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def test_a_choice_arrives_as_it_was_sent() -> None:
    request = choice_request(_choice())

    assert (request.wallet, request.chain) == ("main", "eip155:1")
    assert (request.given.token, request.given.amount) == ("0x" + "ab" * 20, 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("wallet", ""),
        ("wallet", "Main"),
        ("wallet", "m" * 41),
        ("chain", ""),
        ("chain", "ethereum"),
        ("chain", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"),
        ("token_in", ""),
        ("token_in", "native"),
        ("amount_in", ""),
        ("amount_in", "0"),
        ("amount_in", "1.5"),
        ("amount_in", str(2**256)),
    ],
)
def test_a_malformed_choice_is_named(field: str, value: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        choice_request(_choice(**{field: value}))

    assert caught.value.field == field
    assert "allowed" in caught.value.problem


def test_unknown_fields_are_refused_at_any_depth() -> None:
    outer, inner = wire.sign_message("key"), wire.sign_message("key")
    unknown = b"\xfa\x07\x02hi"  # field 127, two bytes
    outer.MergeFromString(unknown)
    inner.claim.swap.MergeFromString(unknown)

    for message in (outer, inner):
        with pytest.raises(InvalidRequestError, match="does not know"):
            fields.refuse_unknown_fields(message)
    fields.refuse_unknown_fields(wire.sign_message("key"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("idempotency_key", "another-key-of-16"),
        ("account", wire.ACCOUNT.replace("31337", "1337")),
        ("transaction.to", "0x" + "99" * 20),
        ("transaction.value_wei", "1"),
        ("transaction.data", b"\x01"),
        ("transaction.gas_limit", 1),
        ("transaction.max_fee_per_gas_wei", "99999999999"),
        ("transaction.max_priority_fee_per_gas_wei", "1"),
        ("claim.swap.token_in", "0x" + "99" * 20),
        ("claim.swap.token_out", "0x" + "99" * 20),
        ("claim.swap.amount_in", "1"),
        ("claim.swap.minimum_out", "1"),
        ("claim.swap.quoted_out", "1"),
        ("claim.swap.quote_time_unix_ms", 1),
    ],
)
def test_the_digest_covers_every_field(path: str, value: Value) -> None:
    message = wire.sign_message("key")
    before = sign_request(message).request_digest

    put(message, path, value)

    assert sign_request(message).request_digest != before


def test_the_digest_does_not_depend_on_the_spelling_of_an_address() -> None:
    message = wire.sign_message("key")
    before = sign_request(message).request_digest

    message.transaction.to = "0x" + message.transaction.to[2:].upper()

    assert sign_request(message).request_digest == before


def test_evaluating_a_solana_message_is_not_built_yet() -> None:
    with pytest.raises(NotBuiltError):
        evaluate_request(signer_pb2.EvaluateRequest(account=wire.ACCOUNT, solana_message=b"\x80"))


def test_evaluating_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="transaction"):
        evaluate_request(signer_pb2.EvaluateRequest(account=wire.ACCOUNT))


def test_a_replacement_and_a_cancellation_with_the_same_words_are_different_content() -> None:
    replacement = signer_pb2.ReplaceTransactionRequest(
        idempotency_key="k" * 16,
        transaction_id="a" * 32,
        max_fee_per_gas_wei="20",
        max_priority_fee_per_gas_wei="10",
    )
    cancellation = signer_pb2.CancelTransactionRequest.FromString(replacement.SerializeToString())

    one = fee_bump_request("ReplaceTransaction", replacement)
    two = fee_bump_request("CancelTransaction", cancellation)

    assert (one.max_fee_per_gas_wei, one.max_priority_fee_per_gas_wei) == (20, 10)
    assert one.request_digest != two.request_digest
