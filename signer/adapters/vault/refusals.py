"""How one item of a batch is refused. The other items of the batch do not know of it."""

from dataclasses import dataclass

_QUOTED = 200


@dataclass(frozen=True, slots=True)
class ItemRefused:
    """Vault's own words for why it did not do this one."""

    text: str

    @classmethod
    def saying(cls, text: str) -> "ItemRefused":
        """Quote Vault, which may say more than a log or a client can take."""
        return cls(text[:_QUOTED])

    @property
    def is_too_old(self) -> bool:
        """The ciphertext's key version is below the key's min_decryption_version."""
        return "too old" in self.text
