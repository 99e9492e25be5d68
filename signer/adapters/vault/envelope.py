"""An EVM key as it is stored: encrypted by Transit for one account. Holds no plaintext and opens nothing.

    {"version": "1", "account": "eip155:1:0x…", "ciphertext": "vault:v3:…", "wrapping_key": "…"}

The plaintext is the 32 bytes of the key. The account is Transit's `context` (ADR 0042): under another name
the ciphertext does not open.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from signer.adapters.vault.transit import Sealed, ciphertext_version
from signer.domain.accounts import AccountId, ChainName, evm_chain_id, parse_account_id

VERSION = "1"
_FIELDS = frozenset({"version", "account", "ciphertext", "wrapping_key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A wrapped key. `wrapping_key` is the name of the Transit key that opens it."""

    account: AccountId
    ciphertext: str
    wrapping_key: str

    @property
    def key_version(self) -> int:
        """Version of the wrapping key under which it is encrypted."""
        return ciphertext_version(self.ciphertext)

    def sealed(self) -> Sealed:
        """What Transit decrypts or rewraps."""
        return Sealed(ciphertext=self.ciphertext, context=context_of(self.account))

    def fields(self) -> dict[str, str]:
        """As it is stored."""
        return {
            "version": VERSION,
            "account": self.account,
            "ciphertext": self.ciphertext,
            "wrapping_key": self.wrapping_key,
        }


def parse_envelope(fields: Mapping[str, object]) -> Envelope:
    """Return what `fields` store. Raises ValueError naming the field, what is wrong and what is allowed."""
    if set(fields) != _FIELDS:
        raise ValueError(f"its fields are {sorted(fields)}; allowed are exactly {sorted(_FIELDS)}")
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    if len(texts) != len(_FIELDS):
        raise ValueError("a field is no text; every field is a text")
    if texts["version"] != VERSION:
        raise ValueError(f"version is {texts['version'][:20]!r}; {VERSION!r} is allowed")
    account = parse_account_id(texts["account"])
    if account != texts["account"] or not account.startswith("eip155:"):
        raise ValueError(f"account is {texts['account'][:120]!r}; allowed is an EVM account in lower case")
    ciphertext_version(texts["ciphertext"])
    if not texts["wrapping_key"]:
        raise ValueError("wrapping_key is empty; allowed is the name of a Transit key")
    return Envelope(account=account, ciphertext=texts["ciphertext"], wrapping_key=texts["wrapping_key"])


def context_of(account: AccountId) -> bytes:
    """The bytes that bind a ciphertext to its account."""
    return account.encode()


def slug(account: AccountId) -> str:
    """Name of an account's envelope in a store: `eip155_1_0xabc…`. Raises ValueError for no EVM account."""
    evm_chain_id(ChainName(account.rpartition(":")[0]))
    return account.replace(":", "_")


def account_of_slug(name: str) -> AccountId:
    """The account whose envelope has this name. Raises ValueError for a name that `slug` does not give."""
    account = parse_account_id(name.replace("_", ":"))
    if slug(account) != name:
        raise ValueError(f"{name[:120]!r} is no name of an envelope; eip155_<chain>_0x… is allowed")
    return account
