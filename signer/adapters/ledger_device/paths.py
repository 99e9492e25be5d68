"""Derivation paths on the wire (BIP-32): one count byte, then four bytes an index. Has no default path."""

import re

from signer.adapters.ledger_device.application import Application
from signer.adapters.ledger_device.ethereum import ETHEREUM
from signer.adapters.ledger_device.solana import SOLANA
from signer.domain.accounts import ChainName, is_evm
from signer.domain.errors import ConfigurationError

_HARDENED = 2**31
_LONGEST = 10
_STEP = re.compile(r"(0|[1-9][0-9]{0,9})('?)")


def encode_path(path: str) -> bytes:
    """Encode `m/44'/60'/0'/0/0`. Raises ConfigurationError naming the path and what is allowed."""
    root, *steps = path.split("/")
    matches = [_STEP.fullmatch(step) for step in steps]
    if root != "m" or not 1 <= len(steps) <= _LONGEST:
        raise _bad(path)
    indexes = []
    for match in matches:
        if match is None or (index := int(match[1])) >= _HARDENED:
            raise _bad(path)
        indexes.append(index + (_HARDENED if match[2] else 0))
    return bytes((len(indexes),)) + b"".join(index.to_bytes(4, "big") for index in indexes)


def application_of(chain: ChainName, path: str) -> Application:
    """The application that has the keys of a chain. Raises ConfigurationError when it has none at `path`."""
    application, coin = (ETHEREUM, "60'") if is_evm(chain) else (SOLANA, "501'")
    if not path.startswith(f"m/44'/{coin}"):
        raise ConfigurationError(
            f"{chain}: the application {application.name} has no key at {path}; "
            f"allowed are paths that begin with m/44'/{coin}"
        )
    return application


def _bad(path: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path[:80]!r} is no derivation path; allowed is as m/44'/60'/0'/0/0, at most {_LONGEST} steps"
    )
