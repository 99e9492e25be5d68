"""The trader's settings file: what may stand in it, what must fit together, and reading it."""

from trader.settings.load import load
from trader.settings.model import (
    Settings,
    StrategySettings,
    TreasurySettings,
    VaultCertificateSettings,
    VaultLoginSettings,
    VaultSettings,
)

__all__ = [
    "Settings",
    "StrategySettings",
    "TreasurySettings",
    "VaultCertificateSettings",
    "VaultLoginSettings",
    "VaultSettings",
    "load",
]
