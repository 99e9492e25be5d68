"""What the engine is told to keep to. Values only; every limit has its unit in its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trader.domain.ids import AssetId
from trader.ports.order_store import PortfolioLimits

MAX_REPLACEMENTS = 3
"""Most that any configuration can ask for; after a restart the engine looks for that many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Rules of the order life cycle.

    `confirmations`: a receipt that deep is final; None waits for the chain's own finalized block.
    `dust`: base units of a token that a rotation may leave behind; nothing for a token that is not there.
    `lease_ms` must be longer than the longest step; no step waits for a person.
    """

    lease_ms: int
    poll_ms: int
    retry_first_ms: int
    retry_most_ms: int
    quarantine_ms: int
    swap_deadline_s: int
    stuck_after_ms: int
    max_replacements: int
    confirmations: int | None
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    limits: PortfolioLimits
    symbols: Mapping[AssetId, str]
    dust: Mapping[AssetId, int] = field(default_factory=dict)
