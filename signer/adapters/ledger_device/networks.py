"""What the Ethereum application 1.22 calls the chains of which that was looked up. Guesses no other name.

A chain that the application does not know has its number for a name, and no ticker. Source: its own table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAINNET = 1
"""The one chain whose name is not shown."""


@dataclass(frozen=True, slots=True)
class Network:
    """Name and ticker of a chain, as they stand on the screen."""

    name: str
    ticker: str


_NETWORKS: Mapping[int, Network] = {
    MAINNET: Network("Ethereum", "ETH"),
    10: Network("OP Mainnet", "ETH"),
    56: Network("BSC", "BNB"),
    100: Network("Gnosis", "xDAI"),
    137: Network("Polygon", "POL"),
    8_453: Network("Base", "ETH"),
    17_000: Network("Holesky", "ETH"),
    42_161: Network("Arbitrum", "ETH"),
    43_114: Network("Avalanche", "AVAX"),
    59_144: Network("Linea", "ETH"),
    84_532: Network("Base Sepolia", "ETH"),
    421_614: Network("Arbitrum Sepolia", "ETH"),
    11_155_111: Network("Sepolia", "ETH"),
    11_155_420: Network("OP Sepolia", "ETH"),
}


def network_of(chain_id: int) -> Network:
    """What the application calls this chain."""
    return _NETWORKS.get(chain_id) or Network(str(chain_id), "???")
