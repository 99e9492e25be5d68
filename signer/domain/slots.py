"""Life cycle of a nonce slot, as one table. Every change of a transaction's state goes through `advance`."""

from collections.abc import Mapping
from enum import StrEnum


class SlotState(StrEnum):
    """Where a transaction stands. From SIGNED on its signature counts as released to the world."""

    RESERVED = "reserved"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    MINED = "mined"
    FINAL = "final"
    RELEASED = "released"
    REPLACED = "replaced"
    CANCELLED = "cancelled"


class SlotEvent(StrEnum):
    """What can happen to a transaction. Nothing here is a timer."""

    SIGNATURE_DURABLE = "signature durable"
    SIGNATURE_NEVER_LEFT = "signature never left"
    BROADCAST_REPORTED = "broadcast reported"
    RECEIPT_SEEN = "receipt seen"
    REORGANISED_AWAY = "reorganised away"
    RECEIPT_FINAL = "receipt final"
    OTHER_HASH_FINAL = "nonce consumed by another hash at finality"
    CANCELLATION_FINAL = "nonce consumed by its cancellation at finality"


class TransactionKind(StrEnum):
    """Which way of using a nonce a transaction is."""

    ORIGINAL = "original"
    REPLACEMENT = "replacement"
    CANCELLATION = "cancellation"


class IllegalTransitionError(Exception):
    """The table has no such step. A mistake of ours, never caught."""


_RELEASED_TO_THE_WORLD: Mapping[SlotEvent, SlotState] = {
    SlotEvent.RECEIPT_SEEN: SlotState.MINED,
    SlotEvent.RECEIPT_FINAL: SlotState.FINAL,
    SlotEvent.OTHER_HASH_FINAL: SlotState.REPLACED,
    SlotEvent.CANCELLATION_FINAL: SlotState.CANCELLED,
}

TRANSITIONS: Mapping[SlotState, Mapping[SlotEvent, SlotState]] = {
    SlotState.RESERVED: {
        SlotEvent.SIGNATURE_DURABLE: SlotState.SIGNED,
        SlotEvent.SIGNATURE_NEVER_LEFT: SlotState.RELEASED,
    },
    SlotState.SIGNED: {SlotEvent.BROADCAST_REPORTED: SlotState.BROADCAST, **_RELEASED_TO_THE_WORLD},
    SlotState.BROADCAST: {SlotEvent.BROADCAST_REPORTED: SlotState.BROADCAST, **_RELEASED_TO_THE_WORLD},
    SlotState.MINED: {
        SlotEvent.BROADCAST_REPORTED: SlotState.MINED,
        SlotEvent.REORGANISED_AWAY: SlotState.BROADCAST,
        **_RELEASED_TO_THE_WORLD,
    },
    SlotState.FINAL: {SlotEvent.BROADCAST_REPORTED: SlotState.FINAL},
    SlotState.RELEASED: {},
    SlotState.REPLACED: {SlotEvent.BROADCAST_REPORTED: SlotState.REPLACED},
    SlotState.CANCELLED: {SlotEvent.BROADCAST_REPORTED: SlotState.CANCELLED},
}

OPEN_STATES = frozenset({SlotState.SIGNED, SlotState.BROADCAST, SlotState.MINED})
"""A signature is out and the outcome is not final."""

OCCUPYING_STATES = frozenset(SlotState) - {SlotState.RELEASED}
"""The nonce cannot be handed out again."""


def advance(state: SlotState, event: SlotEvent) -> SlotState:
    """State after `event`. Raises IllegalTransitionError when the table has no such step."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransitionError(f"{state} has no step for {event!r}") from None
