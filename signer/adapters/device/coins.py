"""Amounts of a chain's coin as devices spell them: every digit, no rounding, no zeros at the end."""

_DECIMALS = 18


def in_coins(wei: int) -> str:
    """Spell wei in coins: 1500000000000000000 is `1.5`."""
    whole, rest = divmod(wei, 10**_DECIMALS)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")
