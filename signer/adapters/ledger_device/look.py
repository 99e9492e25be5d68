"""Whether a Ledger could take a request of an account now. Shows nothing to the person."""

from signer.adapters.ledger_device import situations
from signer.adapters.ledger_device.application import Key
from signer.adapters.ledger_device.session import LedgerSession
from signer.adapters.ledger_device.situations import Asked


def require_ready(session: LedgerSession, key: Key) -> None:
    """Raise as signing would: away, locked, another application, another seed, blind signing off."""
    if not session.check(key):
        asked = Asked(device=session.name, application=key.application)
        raise situations.blind_signing_off(asked)
