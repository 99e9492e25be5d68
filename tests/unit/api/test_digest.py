from hypothesis import given
from hypothesis import strategies as st

from signer.api.digest import request_digest

VALUES = st.lists(st.one_of(st.text(max_size=8), st.binary(max_size=8), st.integers(min_value=0)), max_size=6)


@given(VALUES, VALUES)
def test_different_content_never_has_the_same_digest(
    one: list[str | bytes | int], two: list[str | bytes | int]
) -> None:
    same = [(type(value), value) for value in one] == [(type(value), value) for value in two]

    assert (request_digest("m", one) == request_digest("m", two)) is same


def test_the_digest_is_pinned_since_keys_are_compared_across_versions() -> None:
    digest = request_digest("SignEvmTransaction", ("key", 7, b"\x01", ""))

    assert digest == "276bd3cd56796b991a21b4de45ecd84f46cc4c41188cf468d307c196acae5fe6"


def test_the_method_is_part_of_the_digest() -> None:
    assert request_digest("ReplaceTransaction", ()) != request_digest("CancelTransaction", ())
