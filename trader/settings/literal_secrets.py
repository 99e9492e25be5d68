"""Texts that are secrets by their look: they have no place in a settings file. Pure; never quotes one.

A net under the settings' own types, which take references where a secret belongs. What it knows: private keys
in hex or PEM, mnemonics (BIP-39 lengths), Vault tokens, passwords and access keys inside of URLs.
"""

import re
from urllib.parse import parse_qs, urlsplit

_HEX_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_VAULT_TOKEN = re.compile(r"(hv[sbr]|[sbr])\.[A-Za-z0-9_\-]{20,}")
_MNEMONIC = re.compile(r"[a-z]{3,8}( [a-z]{3,8}){11,23}")
_MNEMONIC_WORDS = frozenset({12, 15, 18, 21, 24})
_KEY_CHARACTERS = re.compile(r"[A-Za-z0-9_\-]{16,}")
_PASSWORD_NAMES = frozenset({"password", "sslpassword", "passfile"})


def literal_secret(text: str) -> str | None:
    """What kind of secret the text is, in words; None for an ordinary text."""
    if _HEX_KEY.fullmatch(text.strip()):
        return "a private key"
    if _PEM.search(text):
        return "a private key"
    if _VAULT_TOKEN.fullmatch(text.strip()):
        return "a Vault token"
    if _MNEMONIC.fullmatch(text.strip()) and len(text.split()) in _MNEMONIC_WORDS:
        return "a mnemonic"
    return _in_url(text) if "://" in text else None


def _in_url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        named = parse_qs(parts.query)
    except ValueError:
        return None
    if parts.password is not None or _PASSWORD_NAMES & named.keys():
        return "a password"
    if parts.scheme not in {"http", "https", "ws", "wss"}:
        return None
    if parts.username is not None or any(_is_key(value) for values in named.values() for value in values):
        return "an access key"
    return "an access key" if any(_is_key(part) for part in parts.path.split("/")) else None


def _is_key(part: str) -> bool:
    """Long, of one piece, with digits and letters: what providers put into the address of a node."""
    has_digit = any(character.isdigit() for character in part)
    has_letter = any(character.isalpha() for character in part)
    return bool(_KEY_CHARACTERS.fullmatch(part)) and has_digit and has_letter
