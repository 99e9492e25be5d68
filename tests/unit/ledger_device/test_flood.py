"""A peer that never stops talking: the one thread of a device comes back from it, so it can be closed."""

import pytest

from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device.application import Key, Path
from signer.adapters.ledger_device.channel import Channel
from signer.adapters.ledger_device.ethereum import ETHEREUM
from signer.adapters.ledger_device.paths import encode_path
from signer.adapters.ledger_device.session import LedgerSession, Patience
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError

KEY = Key(
    path=Path(encode_path("m/44'/60'/0'/0/0")),
    application=ETHEREUM,
    account=AccountId("eip155:1:0x" + "21" * 20),
)
QUICK = Patience(approval_ms=50, answer_ms=50, listen_ms=1, drain_ms=50)
ENOUGH = 500_000
"""Answers after which nobody may still listen."""


class Flood:
    """Answers at once, for ever."""

    model = ""

    def __init__(self) -> None:
        self.heard = 0

    def send(self, apdu: bytes) -> None:
        """Hear nothing."""

    def receive(self, ms: int) -> bytes | None:
        assert ms >= 0
        self.heard += 1
        assert self.heard < ENOUGH, "listened without end"
        return b"\x69\x85"

    def close(self) -> None:
        """Talk on."""


class Silence:
    def event(self, name: str, **fields: object) -> None:
        """Keep nothing."""


def test_a_peer_that_never_stops_talking_is_broken_before_anything_is_asked() -> None:
    session = LedgerSession(Flood, name="Ledger", patience=QUICK, log=Silence())

    with pytest.raises(BrokenError, match="without being asked"):
        session.check(KEY)
    assert session.state is DeviceState.GONE


def test_a_review_is_given_up_while_the_peer_talks_on() -> None:
    session = LedgerSession(Flood, name="Ledger", patience=QUICK, log=Silence())
    session._channel = Channel(Flood())

    session._give_up(KEY, session._channel)

    assert session.state is DeviceState.GONE
