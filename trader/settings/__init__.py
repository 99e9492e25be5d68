"""The trader's settings file: what may stand in it, what must fit together, and reading it."""

from trader.settings.load import load
from trader.settings.model import (
    Settings,
    StrategySettings,
    VaultCertificateSettings,
    VaultLoginSettings,
    VaultSettings,
)

__all__ = [
    "Settings",
    "StrategySettings",
    "VaultCertificateSettings",
    "VaultLoginSettings",
    "VaultSettings",
    "load",
]
