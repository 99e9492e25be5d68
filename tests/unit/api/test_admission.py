import pytest

from signer.api.admission import Admission
from signer.domain.errors import OverloadedError


def test_the_request_above_the_limit_is_refused_at_once() -> None:
    admission = Admission(1, "requests")

    with admission, pytest.raises(OverloadedError, match="1 requests are in flight"):
        admission.__enter__()


def test_a_request_that_ends_makes_room_however_it_ends() -> None:
    admission = Admission(1, "requests")

    with pytest.raises(ZeroDivisionError), admission:
        raise ZeroDivisionError

    with admission:
        assert admission.in_flight == 1
    assert admission.in_flight == 0
