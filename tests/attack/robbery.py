"""One robbery as a row of a table: what is asked, why it is refused, and the harm that force would do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from typing_extensions import override

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.harness import Arena
from tests.attack.heist import Heist
from tests.attack.market import Market
from tests.attack.works import THIEF

Ask = Callable[[Market], pb.SignEvmTransactionRequest]
Harm = Callable[[Heist, pb.SignEvmTransactionRequest, Market], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Robbery:
    """`name` reads as what the thief wants; `reasons` are all that the signer must give."""

    name: str
    ask: Ask
    reasons: set[str]
    harm: Harm

    @override
    def __str__(self) -> str:
        return self.name.replace(" ", "_")


async def shows_both_halves(arena: Arena, robbery: Robbery) -> None:
    """The signer says no with exactly these reasons, and the same bytes by force do harm."""
    market = await arena.market()
    request = robbery.ask(market)

    assert await arena.refused(request) == robbery.reasons
    async with arena.heist() as heist:
        await robbery.harm(heist, request, market)


def thief_gains(
    token: str, at_least: int, then: Callable[[Heist, Market], Awaitable[None]] | None = None
) -> Harm:
    """The thief ends with at least so much more; `then` is what he does from his own account."""

    async def harm(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
        before = await heist.balance(THIEF, token)
        await heist.force(request)
        if then is not None:
            await then(heist, market)
        gained = await heist.balance(THIEF, token) - before
        assert gained >= at_least, f"the thief gains {gained} {token} only"

    return harm


def account_loses(token: str, more_than: int) -> Harm:
    """More than so much leaves the account."""

    async def harm(heist: Heist, request: pb.SignEvmTransactionRequest, market: Market) -> None:
        before = await heist.balance(market.own, token)
        await heist.force(request)
        lost = before - await heist.balance(market.own, token)
        assert lost > more_than, f"the account loses {lost} {token} only"

    return harm
