"""How much of a token one swap may give now. Judges no transaction: looks at no price, route or fee."""

from collections.abc import Iterator
from dataclasses import dataclass

from signer.domain.accounts import Address
from signer.domain.budget import FEE, TRANSACTIONS, RollingLimit, Usage, token_resource
from signer.domain.reasons import DenyReason
from signer.policy.model import AccountPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`most`: base units, 0 when nothing may be given. `reason`: what more than that breaks."""

    most: int
    reason: DenyReason
    message: str


def room(account: AccountPolicy, token: Address, usage: Usage) -> Room:
    """The narrowest of all that the policy says about an amount of this token."""
    return min(_ceilings(account, token, usage), key=lambda each: each.most)


def _ceilings(account: AccountPolicy, token: Address, usage: Usage) -> Iterator[Room]:
    listed = account.token_at.get(token)
    if listed is None or not listed.sell:
        text = f"the policy lists no {token} with sell = true"
        yield Room(most=0, reason=DenyReason.TOKEN_NOT_ALLOWED, message=text)
        return
    yield Room(
        most=listed.max_per_trade,
        reason=DenyReason.AMOUNT_TOO_HIGH,
        message=f"max_per_trade of {listed.symbol} is {listed.max_per_trade}",
    )
    for limit in account.limits_on[token_resource(token)]:
        left = _left(limit, usage)
        text = f"{left} {listed.symbol} is left of {limit.limit} in {limit.window_s} s: wait, or ask for less"
        yield Room(most=left, reason=DenyReason.ROLLING_CAP_EXCEEDED, message=text)
    # Every transaction takes one of the rate and some of the fees, whatever it gives.
    for resource, reason in ((FEE, DenyReason.FEE_CAP_EXCEEDED), (TRANSACTIONS, DenyReason.RATE_EXCEEDED)):
        for limit in account.limits_on[resource]:
            if _left(limit, usage) == 0:
                text = f"nothing is left of {limit.limit} ({limit.resource}) within {limit.window_s} s: wait"
                yield Room(most=0, reason=reason, message=text)


def _left(limit: RollingLimit, usage: Usage) -> int:
    return max(0, limit.limit - usage.get((limit.resource, limit.window_s), 0))
