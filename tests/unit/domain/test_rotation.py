"""The life of an account as a table, and who shares a budget with whom."""

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.domain.accounts import AccountId, AccountState
from signer.domain.errors import PreconditionError
from signer.domain.rotation import (
    ACCOUNT_TRANSITIONS,
    ROTATION_CLIENT,
    SIGNS_FOR,
    AccountEvent,
    Use,
    advance_account,
    family,
    use_of,
)
from signer.domain.slots import TransactionKind
from signer.domain.transactions import ClientName
from signer.settings.model import ClientSettings

A, B, C, D = (AccountId(f"eip155:1:0x{pair * 20}") for pair in ("aa", "bb", "cc", "dd"))
TRADER = ClientName("spiffe://test/trader")


def test_nothing_leads_out_of_retired_and_only_draining_leads_there() -> None:
    assert ACCOUNT_TRANSITIONS[AccountState.RETIRED] == {}
    leading = {
        (state, event)
        for state, steps in ACCOUNT_TRANSITIONS.items()
        for event, after in steps.items()
        if after is AccountState.RETIRED
    }
    assert leading == {(AccountState.DRAINING, AccountEvent.ROTATION_FINISHED)}


@given(st.lists(st.sampled_from(AccountEvent)))
def test_whatever_happens_an_account_that_retired_signs_for_nothing(events: list[AccountEvent]) -> None:
    state, retired = AccountState.ACTIVE, False
    for event in events:
        with suppress(PreconditionError):
            state = advance_account(A, state, event)
        retired = retired or state is AccountState.RETIRED
        assert retired == (state is AccountState.RETIRED)
        assert not retired or not any(state in states for states in SIGNS_FOR.values())


def test_a_draining_account_never_trades_and_pauses_do_not_free_it() -> None:
    for event in (AccountEvent.PAUSE, AccountEvent.RESUME):
        assert advance_account(A, AccountState.DRAINING, event) is AccountState.DRAINING
    assert AccountState.DRAINING not in SIGNS_FOR[Use.TRADE]


@pytest.mark.parametrize(
    ("kind", "client", "use"),
    [
        (TransactionKind.ORIGINAL, TRADER, Use.TRADE),
        (TransactionKind.ORIGINAL, ROTATION_CLIENT, Use.DRAIN),
        (TransactionKind.REPLACEMENT, TRADER, Use.IN_FLIGHT),
        (TransactionKind.CANCELLATION, ROTATION_CLIENT, Use.IN_FLIGHT),
    ],
)
def test_what_a_signature_is_for(kind: TransactionKind, client: ClientName, use: Use) -> None:
    assert use_of(kind, client) is use


def test_no_settings_can_make_a_client_of_the_rotations_name() -> None:
    with pytest.raises(ValueError, match="no certificate name"):
        ClientSettings.model_validate({"san": ROTATION_CLIENT, "role": "trader"})


def test_everybody_whom_rotations_connect_shares_a_budget() -> None:
    links = [(A, B), (B, C), (C, B)]

    assert family(A, links) == family(B, links) == family(C, links) == {A, B, C}
    assert family(D, links) == {D}


@given(st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.sampled_from([A, B, C, D])), max_size=8))
def test_families_are_whole_and_apart(links: list[tuple[AccountId, AccountId]]) -> None:
    families = {one: family(one, links) for one in (A, B, C, D)}

    for one, other in itertools.product(families, repeat=2):
        assert (families[one] == families[other]) or not families[one] & families[other]
    assert all(families[old] == families[new] for old, new in links)
