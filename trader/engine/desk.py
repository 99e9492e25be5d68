"""What a step has at hand: the ports, the rules, and signed bytes that live in memory only."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from trader.domain.ids import OrderId, WalletId
from trader.domain.time import MS_PER_S, UnixMs
from trader.engine.attended.asking import Asking
from trader.engine.attended.people import People
from trader.engine.config import EngineConfig
from trader.engine.groups.group import Group
from trader.ports.chain import Chain
from trader.ports.clock import Clock
from trader.ports.order_store import OrderStore
from trader.ports.signer import Signed, Signer
from trader.ports.venue import TokenApprovals, Venue

BROADCAST_NEEDS_S = 5
"""What a swap that a person confirmed in the last moment needs to reach a block; the signer keeps as much."""

_MOST_HELD = 256


class HeldSignatures:
    """The newest signature of each order, to spare asking again; a restart, or its own bound, forgets them.

    They are never stored: the signer gives the same bytes again for the same key.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[OrderId, Signed] = OrderedDict()

    def keep(self, order: OrderId, signed: Signed) -> None:
        """Remember the bytes."""
        self._held[order] = signed
        self._held.move_to_end(order)
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)

    def of(self, order: OrderId) -> Signed | None:
        """The bytes, if they are still here."""
        return self._held.get(order)

    def forget(self, order: OrderId) -> None:
        """The order is closed."""
        self._held.pop(order, None)


class Bell:
    """Wakes idle workers at once when there is a new order, instead of at their next look."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, at_most_ms: int) -> None:
        """Until the next ring, or the time is over."""
        try:
            async with asyncio.timeout(at_most_ms / MS_PER_S):
                await self._rung.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Ports and rules, the same for every order of one chain."""

    store: OrderStore
    chain: Chain
    signer: Signer
    clock: Clock
    venues: Mapping[str, Venue]
    approvals: TokenApprovals
    config: EngineConfig
    held: HeldSignatures = field(default_factory=HeldSignatures)
    bell: Bell = field(default_factory=Bell)
    people: People = field(default_factory=People)
    asking: Asking = field(default_factory=Asking)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def deadline_s(self, wallet: WalletId, now: UnixMs) -> int:
        """When a transaction that is built now shall be void, unix seconds: a person gets their time."""
        person_ms = self.people.person_ms(wallet)
        needed_s = -(-person_ms // MS_PER_S) + BROADCAST_NEEDS_S if person_ms else 0
        return now // MS_PER_S + max(self.config.swap_deadline_s, needed_s)
