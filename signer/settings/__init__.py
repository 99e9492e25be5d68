"""What an operator configures in `signer.toml`: what may stand in it, what must fit, how it is read."""

from signer.settings.devices import LedgerKeySettings, LedgerSettings, TrezorKeySettings, TrezorSettings
from signer.settings.environment import harden_environment, refuse_redirected_devices
from signer.settings.load import load, load_vault_place, parse
from signer.settings.model import AccountSettings, ChainSettings, Settings, TlsSettings
from signer.settings.rotation import RotationSettings
from signer.settings.surroundings import surroundings_of
from signer.settings.texts import GRANTABLE_METHODS
from signer.settings.vault import LoginSettings, VaultKeySettings, VaultPlace, VaultSettings

__all__ = [
    "GRANTABLE_METHODS",
    "AccountSettings",
    "ChainSettings",
    "LedgerKeySettings",
    "LedgerSettings",
    "LoginSettings",
    "RotationSettings",
    "Settings",
    "TlsSettings",
    "TrezorKeySettings",
    "TrezorSettings",
    "VaultKeySettings",
    "VaultPlace",
    "VaultSettings",
    "harden_environment",
    "load",
    "load_vault_place",
    "parse",
    "refuse_redirected_devices",
    "surroundings_of",
]
