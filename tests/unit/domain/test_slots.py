"""The life cycle of a slot is a table; every step that it does not have is refused."""

import itertools

import pytest

from signer.domain.slots import (
    OCCUPYING_STATES,
    OPEN_STATES,
    TRANSITIONS,
    IllegalTransitionError,
    SlotEvent,
    SlotState,
    advance,
)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(SlotState, SlotEvent)))
def test_every_state_takes_the_steps_of_its_row_and_no_other(state: SlotState, event: SlotEvent) -> None:
    if event in TRANSITIONS[state]:
        assert advance(state, event) is TRANSITIONS[state][event]
        return

    with pytest.raises(IllegalTransitionError):
        advance(state, event)


def test_a_signature_can_not_be_taken_back() -> None:
    reachable = {SlotState.SIGNED}
    while grown := {after for state in reachable for after in TRANSITIONS[state].values()} - reachable:
        reachable |= grown

    assert SlotState.RESERVED not in reachable
    assert SlotState.RELEASED not in reachable


def test_only_a_released_slot_gives_its_nonce_back() -> None:
    assert set(SlotState) - OCCUPYING_STATES == {SlotState.RELEASED}
    assert OPEN_STATES < OCCUPYING_STATES


def test_what_is_final_stays_what_it_is() -> None:
    for state in (SlotState.FINAL, SlotState.REPLACED, SlotState.CANCELLED, SlotState.RELEASED):
        assert set(TRANSITIONS[state].values()) <= {state}
