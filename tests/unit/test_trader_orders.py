from itertools import product

import pytest

from trader.domain.orders import (
    CLOSED_STATES,
    HOLDING_STATES,
    OPEN_STATES,
    TRANSITIONS,
    IllegalTransitionError,
    OrderEvent,
    OrderState,
    advance,
)

PAIRS = list(product(OrderState, OrderEvent))


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_event_from_every_state_is_a_step_of_the_table_or_a_mistake_of_ours(
    state: OrderState, event: OrderEvent
) -> None:
    if event in TRANSITIONS[state]:
        assert advance(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(IllegalTransitionError, match=state.value):
            advance(state, event)


def test_every_state_has_a_row_and_is_either_open_or_closed() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    assert set(OrderState) == OPEN_STATES | CLOSED_STATES
    assert not OPEN_STATES & CLOSED_STATES


def test_every_state_can_be_reached_from_an_intent_and_every_open_one_can_close() -> None:
    assert _reachable(OrderState.INTENT) == set(OrderState)
    for state in OPEN_STATES:
        assert _reachable(state) & CLOSED_STATES, state


def test_once_a_signature_is_asked_nothing_but_the_signer_or_the_chain_ends_an_order() -> None:
    for state in HOLDING_STATES - {OrderState.RESERVED}:
        assert OrderEvent.GAVE_UP not in TRANSITIONS[state]
    for state in HOLDING_STATES - {OrderState.RESERVED, OrderState.SIGN_REQUESTED}:
        assert OrderEvent.DENIED not in TRANSITIONS[state]


def test_an_unknown_outcome_ends_only_by_a_receipt_or_a_consumed_nonce() -> None:
    proofs = {
        OrderEvent.RECEIPT_SEEN,
        OrderEvent.NONCE_CONSUMED,
        OrderEvent.NODE_ACCEPTED,
        OrderEvent.OUTCOME_LOST,
    }

    assert set(TRANSITIONS[OrderState.UNKNOWN]) == proofs
    assert not {TRANSITIONS[OrderState.UNKNOWN][event] for event in proofs} & (
        CLOSED_STATES - {OrderState.DROPPED}
    )


def test_funds_are_held_in_exactly_the_open_states_after_the_reservation() -> None:
    assert _reachable(OrderState.RESERVED) & OPEN_STATES == HOLDING_STATES


def _reachable(start: OrderState) -> set[OrderState]:
    seen, todo = {start}, [start]
    while todo:
        for state in TRANSITIONS[todo.pop()].values():
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return seen
