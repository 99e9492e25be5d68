"""The world's errors as the trader knows them. Our own mistakes are other exceptions and are never caught."""

from collections.abc import Mapping
from dataclasses import dataclass

from trader.domain.ids import WalletId


class TraderError(Exception):
    """Root of everything that the world may do to us."""


class ConfigurationError(TraderError):
    """A settings file, certificate or database cannot be used. Names file, place and what is allowed."""


class ChainUnavailableError(TraderError):
    """The node is out of reach or answers nonsense. Says nothing about what happened to a transaction."""


class SecretsUnavailableError(TraderError):
    """Vault gave no answer, and nothing that is still good is at hand. It may come back."""


class StoreUnavailableError(TraderError):
    """PostgreSQL gave no answer. What was asked is written whole or not at all: read before going on."""


class FundsShortError(TraderError):
    """The books hold less than what must be booked. Nothing was written; somebody must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """Another account of the same wallet, which would sign now. `max_amount_in`: base units of one trade."""

    wallet: WalletId
    max_amount_in: int | None


class SignerHeldUpError(TraderError):
    """The signer gave no signature and no denial. `reason` is its code, empty when nothing was heard."""

    def __init__(self, message: str, *, reason: str = "", instead: Instead | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.instead = instead


class SignerUnavailableError(SignerHeldUpError):
    """The signer gave no verdict: it may or may not have signed. Ask again with the same key."""


class SignerNotReadyError(SignerHeldUpError):
    """Somebody has to act at the signer first (paused account, device). Nothing was signed."""


class LeaseLostError(TraderError):
    """Another process has claimed the order since; this one must let go of it without writing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason of the signer for saying no.

    Stable code, and the signer's own words (rule, limit, actual, unit).
    """

    reason: str
    metadata: Mapping[str, str]
