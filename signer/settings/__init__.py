"""What an operator configures in `signer.toml`: what may stand in it, what must fit, how it is read."""

from signer.settings.environment import harden_environment
from signer.settings.load import load, parse
from signer.settings.model import AccountSettings, ChainSettings, Settings
from signer.settings.texts import GRANTABLE_METHODS
from signer.settings.vault import LoginSettings, VaultKeySettings, VaultSettings

__all__ = [
    "GRANTABLE_METHODS",
    "AccountSettings",
    "ChainSettings",
    "LoginSettings",
    "Settings",
    "VaultKeySettings",
    "VaultSettings",
    "harden_environment",
    "load",
    "parse",
]
