"""EIP-1559 fees for a transaction that shall be mined soon; refuses to exceed the configured caps."""

import asyncio

from trader.domain.errors import ChainUnavailableError
from trader.engine.config import EngineConfig
from trader.ports.chain import Chain
from trader.ports.venue import Fees

_BASE_FEE_HEADROOM = 2
"""The base fee rises by at most one eighth a block: six full blocks fit below its double."""

_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8
"""+12.5 %: above the 10 % that pools demand for a replacement."""


class FeesTooHighError(ChainUnavailableError):
    """The base fee alone is above our cap; waiting may help."""


async def current_fees(chain: Chain, config: EngineConfig) -> Fees:
    """Fees for the next blocks. Raises FeesTooHighError when the caps do not allow inclusion now."""
    cap = config.max_fee_per_gas_wei
    head, suggested = await asyncio.gather(chain.head(), chain.priority_fee_per_gas_wei())
    priority = max(1, min(suggested, config.max_priority_fee_per_gas_wei))
    if head.base_fee_per_gas_wei + priority > cap:
        raise FeesTooHighError(
            f"base fee {head.base_fee_per_gas_wei} + priority fee {priority} wei per gas:"
            f" at most {cap} wei is allowed (max_fee_per_gas_wei)"
        )
    wanted = head.base_fee_per_gas_wei * _BASE_FEE_HEADROOM + priority
    return Fees(max_fee_per_gas_wei=min(wanted, cap), max_priority_fee_per_gas_wei=priority)


def bumped(fees: Fees, times: int) -> Fees:
    """Fees raised `times` times by 12.5 %, rounded up: the same for the same attempt, after any restart."""
    maximum, priority = fees.max_fee_per_gas_wei, fees.max_priority_fee_per_gas_wei
    for _ in range(times):
        maximum = -(-maximum * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)
        priority = -(-priority * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)
    return Fees(max_fee_per_gas_wei=maximum, max_priority_fee_per_gas_wei=priority)
