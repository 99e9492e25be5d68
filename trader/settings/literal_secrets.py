"""Texts that are secrets by their look: they have no place in a settings file. Pure; never quotes one.

A net under the settings' own types, which take references where a secret belongs. What it knows: private keys
in hex or PEM, mnemonics (BIP-39 lengths), Vault tokens, passwords and access keys inside of URLs.
"""

import re
from urllib.parse import parse_qs, unquote

_HEX_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_VAULT_TOKEN = re.compile(r"(hv[sbr]|[sbr])\.[A-Za-z0-9_\-]{20,}")
_MNEMONIC = re.compile(r"[a-z]{3,8}( [a-z]{3,8}){11,23}")
_MNEMONIC_WORDS = frozenset({12, 15, 18, 21, 24})
_URL = re.compile(
    r"\s*(?P<scheme>[a-z0-9+.\-]+)://(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_KEY_CHARACTERS = re.compile(r"[A-Za-z0-9_\-+]{16,}")
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
    # Not urlsplit: it refuses what people write, and then nobody would have looked.
    url = _URL.fullmatch(text)
    if url is None:
        return None
    query = parse_qs(url["rest"].removeprefix("?"), keep_blank_values=True)
    if _has_password(url) or _PASSWORD_NAMES & {name.lower() for name in query}:
        return "a password"
    if url["scheme"].lower() not in {"http", "https", "ws", "wss"}:
        return None
    behind_the_host = unquote(url["path"] + url["rest"])
    if "@" in url["host"] or any(_is_key(part) for part in _KEY_CHARACTERS.findall(behind_the_host)):
        return "an access key"
    return None


def _has_password(url: re.Match[str]) -> bool:
    """Also one with a `/`, `?` or `#` in it that should have been written in percents."""
    user, at, _ = url["host"].rpartition("@")
    if at:
        return ":" in user
    _, colon, port = url["host"].rpartition(":")
    broken_off = "@" in url["path"] or ("@" in url["rest"] and not port.isdigit())
    return bool(colon) and broken_off


def _is_key(part: str) -> bool:
    """Long, of one piece, with digits and letters: what providers put into the address of a node."""
    return any(character.isdigit() for character in part) and any(character.isalpha() for character in part)
