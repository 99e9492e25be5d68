"""What a guardian says about a policy: this file, this serial, these chains. Judges no content."""

from dataclasses import dataclass
from typing import NewType, TypeAlias

from signer.domain.accounts import ChainName
from signer.domain.guardian import GuardianName
from signer.domain.transactions import EvmSignature

MAX_SERIAL = 2**53 - 1
"""Largest integer that every JSON tool keeps exact."""

Ed25519Signature = NewType("Ed25519Signature", bytes)
"""64 bytes over the off-chain message (signer.decode.solana.offchain_message) of the text."""

GuardianSignature: TypeAlias = EvmSignature | Ed25519Signature
"""Of an Ethereum key over the personal message (EIP-191) of the text, or of a Solana key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatement:
    """One version of the policy file. `policy_hash` is SHA-256 of its bytes, hex; `chains` are sorted."""

    serial: int
    chains: tuple[ChainName, ...]
    policy_hash: str

    def text(self) -> str:
        """Return the text to sign, as a device shows it. Different statements have different texts.

        One line of printable ASCII: some devices show everything else as hex. The first words keep it apart
        from every other message that the same key may sign.
        """
        chains = ", ".join(self.chains) or "none"
        return f"Airlock policy; serial {self.serial}; chains {chains}; sha256 {self.policy_hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySignature:
    """A detached signature, as a file beside the policy holds it. Only a claim until it was verified."""

    statement: PolicyStatement
    signer: GuardianName
    signature: GuardianSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedPolicy:
    """The newest policy that ever came into force under a guardian; None: a person let the guardian go."""

    guardian: GuardianName | None
    serial: int
    policy_hash: str

    def why_not_followed_by(self, serial: int, policy_hash: str) -> str | None:
        """Why a policy cannot come into force after this one, or None. The same one again can."""
        if serial < self.serial:
            return f"is older: serial {serial}, and serial {self.serial} was in force already"
        if serial == self.serial and policy_hash != self.policy_hash:
            return (
                f"is another policy with serial {serial} than the one that was in force "
                f"(sha256 {self.policy_hash}): give it serial {serial + 1} and sign it"
            )
        return None
