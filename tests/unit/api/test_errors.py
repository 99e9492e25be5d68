import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from signer.api import errors
from signer.api.errors import FAIL_STATUS, MAX_STATUS_BYTES, of_bug, of_denial, of_error
from signer.domain.accounts import AccountId
from signer.domain.decisions import Denied, Violation
from signer.domain.errors import (
    BrokenError,
    InvalidRequestError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.wallets import NextAccount
from signer.service.clients import NotGrantedError


def _details(error: errors.WireError) -> list[ErrorInfo]:
    infos = []
    for packed in _status(error).details:
        info = ErrorInfo()
        if packed.Unpack(info):
            infos.append(info)
    return infos


def _status(error: errors.WireError) -> Status:
    ((key, value),) = error.trailing
    assert key == "grpc-status-details-bin"
    return Status.FromString(value)


def _denied(count: int, text: str = "x") -> Denied:
    violation = Violation(
        reason=DenyReason.AMOUNT_TOO_HIGH, rule="amount", limit=text, actual=text, unit="wei"
    )
    return Denied(violations=(violation,) * count, trace=())


def _all_error_types(root: type[SignerError] = SignerError) -> set[type[SignerError]]:
    return {kind for child in root.__subclasses__() for kind in ({child} | _all_error_types(child))}


def test_every_reason_to_fail_has_a_status() -> None:
    assert set(FAIL_STATUS) == set(FailReason)


def test_every_error_of_the_signer_has_a_wire_form() -> None:
    with_reason = {UnavailableError, PreconditionError, BrokenError, InvalidRequestError, RejectedError}
    ours = {
        kind for kind in _all_error_types() if kind.__module__.startswith(("signer.domain", "signer.service"))
    }

    assert ours <= with_reason | set(errors._PLAIN)


@pytest.mark.parametrize("reason", FailReason)
def test_a_failure_says_its_reason_and_is_never_a_denial(reason: FailReason) -> None:
    error = of_error(UnavailableError(reason, "text"))

    assert [info.reason for info in _details(error)] == [reason]
    assert error.code is FAIL_STATUS[reason] is not grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("kind", [UnavailableError, PreconditionError])
@pytest.mark.parametrize(
    ("most", "metadata"), [(5, {"next_max_amount_in": "5"}), (0, {"next_max_amount_in": "0"}), (None, {})]
)
def test_an_account_that_cannot_sign_names_the_next_as_the_wire_spells_it(
    kind: type[UnavailableError | PreconditionError], most: int | None, metadata: dict[str, str]
) -> None:
    account = AccountId("eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
    named = NextAccount(account=account, max_amount_in=most)

    (info,) = _details(of_error(kind(FailReason.DEVICE_GONE, "plug it in", named)))

    assert info.reason == FailReason.DEVICE_GONE
    spelled = "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert dict(info.metadata) == {"next_account": spelled, **metadata}


@pytest.mark.parametrize("reason", DenyReason)
def test_a_denial_is_permission_denied_with_reason_rule_limit_actual_and_unit(reason: DenyReason) -> None:
    violation = Violation(reason=reason, rule="slippage", limit="50", actual="70", unit="bps")

    error = of_denial(Denied(violations=(violation,), trace=()))

    (info,) = _details(error)
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert (info.domain, info.reason) == ("signer.airlock", reason)
    assert dict(info.metadata) == {"rule": "slippage", "limit": "50", "actual": "70", "unit": "bps"}


def test_a_denial_lists_every_violation_up_to_twenty_and_counts_the_rest() -> None:
    few, many = _details(of_denial(_denied(20))), _details(of_denial(_denied(63)))

    assert (len(few), "omitted" in few[0].metadata) == (20, False)
    assert (len(many), many[0].metadata["omitted"]) == (20, "43")


@pytest.mark.parametrize("count", [1, 20, 100])
def test_the_details_of_a_denial_stay_below_the_limit_of_trailing_metadata(count: int) -> None:
    error = of_denial(_denied(count, "9" * 5_000))

    assert len(error.trailing[0][1]) <= MAX_STATUS_BYTES
    infos = _details(error)
    assert infos
    assert int(infos[0].metadata["omitted"] if count > 1 else 0) == count - len(infos)


def test_an_invalid_request_names_the_field_and_what_is_allowed() -> None:
    error = of_error(InvalidRequestError("transaction.to", "allowed are 40 hex digits"))

    bad = BadRequest()
    assert _status(error).details[0].Unpack(bad)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert bad.field_violations[0].field == "transaction.to"
    assert bad.field_violations[0].description == "allowed are 40 hex digits"


def test_a_missing_grant_is_permission_denied_with_its_own_reason() -> None:
    error = of_error(NotGrantedError("spiffe://x", "SignEvmTransaction", None))  # type: ignore[arg-type]

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert [info.reason for info in _details(error)] == [DenyReason.NOT_GRANTED]


def test_a_mistake_of_ours_is_internal_and_tells_nothing() -> None:
    error = of_bug()

    assert error.code is grpc.StatusCode.INTERNAL
    assert [info.reason for info in _details(error)] == [FailReason.BROKEN]


def test_status_and_details_agree_so_that_clients_can_read_them() -> None:
    for error in (of_denial(_denied(2)), of_bug(), of_error(InvalidRequestError("a", "b"))):
        assert _status(error).code == error.code.value[0]
        assert _status(error).message == error.message
