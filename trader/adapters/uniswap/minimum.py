"""Least amount out, and how long a quote holds; the same arithmetic that the signer demands."""

from trader.domain.time import UnixMs

BPS = 10_000
QUOTE_LIFE_MS = 10_000


def minimum_out(amount_out: int, max_slippage_bps: int) -> int:
    """amount_out × (10000 − bps) ÷ 10000, rounded up: rounding may never cost more than the cap."""
    if not 0 <= max_slippage_bps < BPS:
        raise ValueError(f"a slippage of {max_slippage_bps} bps: 0 to {BPS - 1} is allowed")
    return -(-amount_out * (BPS - max_slippage_bps) // BPS)


def expiry(made_at: UnixMs) -> UnixMs:
    """When a quote made now ends."""
    return UnixMs(made_at + QUOTE_LIFE_MS)
