"""Amounts, prices, times and bars as people read them. Rounds against the one who reads, never for them."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

from signer.domain.time import MS_PER_S, UnixMs
from signer.service.approvals.brief import AssetAmount

_EXACT = Context(prec=200)
_SHOWN_EXACTLY = 8
_PLACES = 6
_DIGITS = 4
_BAR_CELLS = 16
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def paid(amount: AssetAmount) -> str:
    """What leaves: rounded up where it is too long to be shown."""
    return _amount(amount, ROUND_CEILING)


def received(amount: AssetAmount) -> str:
    """What comes back: rounded down where it is too long to be shown."""
    return _amount(amount, ROUND_FLOOR)


def number(units: int, decimals: int, rounding: str = ROUND_HALF_EVEN) -> str:
    """Base units as a decimal number with thousands set apart; `~` marks a rounded one."""
    exact = Decimal(units).scaleb(-decimals, context=_EXACT)
    places = max(0, -int(exact.normalize(_EXACT).as_tuple().exponent))
    if places <= _SHOWN_EXACTLY:
        return _trimmed(f"{exact:,f}")
    kept = max(_PLACES, _DIGITS - 1 - exact.adjusted())
    if kept >= places:
        return _trimmed(f"{exact:,f}")
    rounded = exact.quantize(Decimal(1).scaleb(-kept), rounding=rounding, context=_EXACT)
    return f"~{_trimmed(f'{rounded:,f}')}"


def price(paying: AssetAmount, getting: int, decimals: int) -> str | None:
    """How much of what is paid one whole of what comes back costs, rounded up; None without a price."""
    if getting <= 0 or paying.amount <= 0 or is_unknown(paying):
        return None
    paid_whole = Decimal(paying.amount).scaleb(-paying.decimals, context=_EXACT)
    got_whole = Decimal(getting).scaleb(-decimals, context=_EXACT)
    digits = Context(prec=7, rounding=ROUND_CEILING)
    return _trimmed(f"{digits.divide(paid_whole, got_whole):,f}")


def is_unknown(amount: AssetAmount) -> bool:
    """Whether the policy does not list the asset, so that only base units can be shown."""
    return amount.symbol == amount.asset


def bar(used: int, added: int, limit: int) -> str:
    """`[###++.....]`: # is used, + is what this one adds; ! where it does not fit."""
    if limit <= 0:
        return f"[{'!' * _BAR_CELLS}]" if used + added > 0 else f"[{'.' * _BAR_CELLS}]"
    if used + added > limit:
        return f"[{'!' * _BAR_CELLS}]"
    full = _cells(used, limit)
    plus = max(_cells(used + added, limit) - full, 1 if added > 0 and full < _BAR_CELLS else 0)
    return f"[{'#' * full}{'+' * plus}{'.' * (_BAR_CELLS - full - plus)}]"


def left(ms: int) -> str:
    """Time that is left: `1:42`, or `over`."""
    if ms <= 0:
        return "over"
    seconds = ms // MS_PER_S
    return f"{seconds // _MINUTE_S}:{seconds % _MINUTE_S:02}"


def time_of_day(at: UnixMs) -> str:
    """`12:20:01`, UTC."""
    seconds = at // MS_PER_S % _DAY_S
    return f"{seconds // _HOUR_S:02}:{seconds % _HOUR_S // _MINUTE_S:02}:{seconds % _MINUTE_S:02}"


def window(seconds: int) -> str:
    """`24 h`, `1 min`; the largest unit in which it is whole."""
    for size, unit in ((_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _amount(amount: AssetAmount, rounding: str) -> str:
    if is_unknown(amount):
        return f"{amount.amount:,} base units of {amount.asset}"
    return f"{number(amount.amount, amount.decimals, rounding)} {amount.symbol}"


def _cells(part: int, whole: int) -> int:
    return min(_BAR_CELLS, part * _BAR_CELLS // whole)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
