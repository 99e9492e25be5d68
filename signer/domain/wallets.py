"""A wallet: accounts in an order, and for each the condition under which it is its turn. Switches nothing.

Another key is another address and another quote, so nothing is ever signed by another account than the one
that was asked: whoever asks is told which one to ask instead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from typing_extensions import override

from signer.domain.accounts import AccountId, Address
from signer.domain.time import MS_PER_S, UnixMs

MINUTES_A_DAY = 24 * 60
_MS_PER_MINUTE = 60 * MS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From one minute of the UTC day until just before another; over midnight when the end comes first."""

    begin_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        """Minutes of one day, and not the same one twice: that could mean never or always."""
        if not (0 <= self.begin_minute < MINUTES_A_DAY and 0 < self.end_minute <= MINUTES_A_DAY):
            raise ValueError("hours begin at 00:00 to 23:59 and end at 00:01 to 24:00")
        if self.begin_minute == self.end_minute:
            raise ValueError("hours that end when they begin")

    def hold(self, now: UnixMs) -> bool:
        """Whether `now` is within them."""
        minute = now // _MS_PER_MINUTE % MINUTES_A_DAY
        if self.begin_minute < self.end_minute:
            return self.begin_minute <= minute < self.end_minute
        return minute >= self.begin_minute or minute < self.end_minute

    @override
    def __str__(self) -> str:
        """As the settings spell it."""
        return f"{_clock(self.begin_minute)}-{_clock(self.end_minute)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRange:
    """How much of a token one trade gives: at least so much, and less than so much. Base units."""

    token: Address
    at_least: int = 0
    below: int | None = None

    def __post_init__(self) -> None:
        """A range that no amount is in, or every one, is a mistake."""
        if self.below is not None and self.at_least >= self.below:
            raise ValueError(f"no amount is at least {self.at_least} and below {self.below}")
        if self.below is None and self.at_least == 0:
            raise ValueError("every amount is at least 0")

    def why_not(self, amount: int) -> str | None:
        """Why an amount is not in it; None when it is."""
        if amount < self.at_least:
            return f"gives at least {self.at_least} of {self.token} in one trade, not {amount}"
        if self.below is not None and amount >= self.below:
            return f"gives less than {self.below} of {self.token} in one trade, not {amount}"
        return None

    @override
    def __str__(self) -> str:
        """One line for people."""
        bounds = [f"at least {self.at_least}"] if self.at_least else []
        bounds += [] if self.below is None else [f"below {self.below}"]
        return f"{' and '.join(bounds)} of {self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When it is an account's turn. A token without a range may be given in any amount.

    `device_ready`: the device of the account, if it has one, must be there and unlocked; without it requests
    wait for the device.
    """

    hours: Hours | None = None
    amounts: tuple[AmountRange, ...] = ()
    device_ready: bool = True

    def why_not_now(self, now: UnixMs) -> str | None:
        """Why it is not its turn at any amount; None when the hours hold."""
        if self.hours is None or self.hours.hold(now):
            return None
        return f"signs within {self.hours} UTC only"

    def why_not(self, token: Address, amount: int) -> str | None:
        """Why it is not its turn for this amount; None when its range holds."""
        wanted = self.range_of(token)
        return None if wanted is None else wanted.why_not(amount)

    def range_of(self, token: Address) -> AmountRange | None:
        """What one trade may give of the token; None for any amount."""
        return next((each for each in self.amounts if each.token == token), None)

    def describe(self, *, attended: bool) -> str:
        """One line for people; empty when it is always its turn."""
        return "; ".join(self._parts(attended=attended))

    def _parts(self, *, attended: bool) -> Iterator[str]:
        if self.hours is not None:
            yield f"{self.hours} UTC"
        yield from map(str, self.amounts)
        if attended and self.device_ready:
            yield "its device is there and unlocked"


ALWAYS = Condition()
"""Of an account whose settings say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAccount:
    """The account of the wallet to ask instead, for a new quote.

    `max_amount_in`: most that it would give now, base units of the token that was to be given; None where no
    amount was.
    """

    account: AccountId
    max_amount_in: int | None


def require_one_range_per_token(ranges: Iterable[AmountRange]) -> None:
    """Raise ValueError when two ranges are about one token: whether both or either must hold is not said."""
    seen: set[Address] = set()
    for each in ranges:
        if each.token in seen:
            raise ValueError(f"two ranges for {each.token}; one is allowed")
        seen.add(each.token)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
