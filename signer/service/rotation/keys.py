"""Idempotency keys of a drain: rotation, what is done, attempt. The ledger answers which were used."""

import hashlib

from signer.domain.rotation import ROTATION_CLIENT, Rotation
from signer.domain.slots import SlotState
from signer.domain.transactions import IdempotencyKey
from signer.ports.ledger import Ledger

NATIVE_COIN = "native coin"
"""What a transfer of the coin is called in its key."""


async def fresh_key(ledger: Ledger, rotation: Rotation, what: str) -> IdempotencyKey:
    """Key of the first attempt that the ledger does not know."""
    attempt = 0
    while await ledger.find(ROTATION_CLIENT, key := _key(rotation, what, attempt)) is not None:
        attempt += 1
    return key


async def last_sweep_left_wei(ledger: Ledger, rotation: Rotation) -> int:
    """What the last transfer of the whole coin had set aside for its fee and did not pay; 0 without one."""
    attempt, left = 0, 0
    while (record := await ledger.find(ROTATION_CLIENT, _key(rotation, NATIVE_COIN, attempt))) is not None:
        payload = record.unsigned.payload
        if record.state is SlotState.FINAL and payload.value_wei and record.fee_paid_wei is not None:
            left = payload.worst_fee_wei - record.fee_paid_wei
        attempt += 1
    return left


def _key(rotation: Rotation, what: str, attempt: int) -> IdempotencyKey:
    digest = hashlib.sha256(what.encode()).hexdigest()[:24]
    return IdempotencyKey(f"rotation-{rotation.id}-{digest}-{attempt}")
