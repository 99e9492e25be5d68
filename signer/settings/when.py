"""When it is an account's turn in its wallet: [accounts.when]. Refuses what never or always holds."""

import re
from typing import Annotated, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from signer.domain.accounts import Address
from signer.domain.transactions import UINT256_MAX
from signer.domain.wallets import AmountRange, Condition, Hours, require_one_range_per_token
from signer.settings.texts import EvmAddressText, Strict

_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(rf"{_CLOCK}-(?:{_CLOCK}|24:00)")
_DECIMAL_DIGITS = 78  # as many as 2^256 - 1 has


def _uint(value: object) -> object:
    """Let uint256 be a TOML integer or, as many tools stop at 64 bits, a decimal string."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= _DECIMAL_DIGITS):
            raise ValueError("an integer or a string of decimal digits is allowed, in base units")
        return int(value)
    return value


def _hours(value: object) -> object:
    text = str(value)
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f'{text[:40]!r} are no hours; allowed is "HH:MM-HH:MM" in UTC, as "08:00-18:00"')
    hour, minute, end_hour, end_minute = match.groups()
    begin = int(hour) * 60 + int(minute)
    end = 24 * 60 if end_hour is None else int(end_hour) * 60 + int(end_minute)
    if begin == end or (begin, end) == (0, 24 * 60):
        raise ValueError(f"{text!r} is the whole day or none of it; leave hours_utc out for the whole day")
    # An end at midnight is the end of the day, not the beginning of it.
    return Hours(begin_minute=begin, end_minute=end or 24 * 60)


Uint256: TypeAlias = Annotated[int, BeforeValidator(_uint), Field(ge=0, le=UINT256_MAX)]
HoursText: TypeAlias = Annotated[Hours, BeforeValidator(_hours)]


class AmountSettings(Strict):
    """How much of a token one trade of the account gives: at least so much, and below so much. Base units."""

    token: EvmAddressText
    at_least: Uint256 = 0
    below: Uint256 | None = None

    @model_validator(mode="after")
    def _some_amounts(self) -> Self:
        self.to_range()
        return self

    def to_range(self) -> AmountRange:
        """Return the plain value. Raises ValueError for one that no amount is in, or every amount."""
        return AmountRange(token=Address(self.token), at_least=self.at_least, below=self.below)


class WhenSettings(Strict):
    """The whole of [accounts.when]. `device_ready = false` lets requests wait for the account's device."""

    hours_utc: HoursText | None = None
    amounts: tuple[AmountSettings, ...] = Field(default=(), strict=False)
    device_ready: bool | None = None

    @model_validator(mode="after")
    def _one_range_per_token(self) -> Self:
        require_one_range_per_token(each.to_range() for each in self.amounts)
        return self

    def to_condition(self) -> Condition:
        """Return the plain value."""
        return Condition(
            hours=self.hours_utc,
            amounts=tuple(each.to_range() for each in self.amounts),
            device_ready=self.device_ready is not False,
        )
