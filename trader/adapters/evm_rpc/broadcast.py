"""What a node says to a transaction, sorted by class of message. Pure; refuses to read a refusal as proof.

Texts of go-ethereum (core/txpool), anvil, erigon and nethermind; compared without case.
"""

from collections.abc import Mapping

from trader.ports.chain import BroadcastOutcome

_TEXTS: Mapping[str, BroadcastOutcome] = {
    "already known": BroadcastOutcome.KNOWN,
    "already imported": BroadcastOutcome.KNOWN,
    "alreadyknown": BroadcastOutcome.KNOWN,
    "known transaction": BroadcastOutcome.KNOWN,
    "nonce too low": BroadcastOutcome.NONCE_USED,
    "oldnonce": BroadcastOutcome.NONCE_USED,
    "nonce is too low": BroadcastOutcome.NONCE_USED,
    "underpriced": BroadcastOutcome.UNDERPRICED,
    "fee too low": BroadcastOutcome.UNDERPRICED,
    "max fee per gas less than block base fee": BroadcastOutcome.UNDERPRICED,
    "feetoolow": BroadcastOutcome.UNDERPRICED,
    "insufficient funds": BroadcastOutcome.REJECTED,
    "intrinsic gas too low": BroadcastOutcome.REJECTED,
    "exceeds block gas limit": BroadcastOutcome.REJECTED,
    "invalid chain id": BroadcastOutcome.REJECTED,
    "invalid sender": BroadcastOutcome.REJECTED,
    "txpool is full": BroadcastOutcome.REJECTED,
    "nonce too high": BroadcastOutcome.REJECTED,
}


def classify(message: str) -> BroadcastOutcome:
    """Class of a node's error text; UNKNOWN when no known phrase occurs in it."""
    text = message.lower()
    return next((outcome for phrase, outcome in _TEXTS.items() if phrase in text), BroadcastOutcome.UNKNOWN)
