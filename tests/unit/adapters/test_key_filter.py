"""The filter of used idempotency keys: wrong in one direction only."""

import pytest

from signer.adapters.sqlite.key_filter import KeyFilter
from signer.domain.transactions import ClientName, IdempotencyKey

CLIENT, OTHER = ClientName("spiffe://airlock.local/trader"), ClientName("spiffe://airlock.local/other")
USED = [(CLIENT, IdempotencyKey(f"used-{number:012d}")) for number in range(20_000)]


@pytest.fixture(scope="module", name="keys")
def _keys() -> KeyFilter:
    return KeyFilter(USED)


def test_a_used_key_is_never_said_to_be_new(keys: KeyFilter) -> None:
    assert all(keys.may_have(client, key) for client, key in USED)


def test_nearly_every_new_key_is_known_to_be_new(keys: KeyFilter) -> None:
    fresh = [IdempotencyKey(f"fresh-{number:012d}") for number in range(20_000)]

    perhaps = sum(keys.may_have(CLIENT, key) for key in fresh)

    assert perhaps < len(fresh) // 100


def test_another_clients_key_of_the_same_name_is_another_key(keys: KeyFilter) -> None:
    perhaps = sum(keys.may_have(OTHER, key) for _, key in USED)

    assert perhaps < len(USED) // 100


def test_an_added_key_is_there_at_once() -> None:
    keys, key = KeyFilter(), IdempotencyKey("a-new-key-0000000")
    before = keys.may_have(CLIENT, key)

    keys.add(CLIENT, key)

    assert (before, keys.may_have(CLIENT, key)) == (False, True)
