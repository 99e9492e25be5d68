"""The world's errors as the signer knows them. Our own mistakes are other exceptions and are never caught."""

from signer.domain.reasons import DenyReason, FailReason
from signer.domain.wallets import NextAccount


class SignerError(Exception):
    """Root of everything that the world may do to us."""


class InvalidRequestError(SignerError):
    """A request is malformed. Names the field, what is wrong and what is allowed."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NotFoundError(SignerError):
    """No such account or transaction among those that the client may see."""


class KeyReusedError(SignerError):
    """The idempotency key was used before with other content."""


class UnavailableError(SignerError):
    """Something that we need is out of reach. Nothing was signed; the same key may be tried again.

    `next_account` would sign instead, after a new quote.
    """

    def __init__(self, reason: FailReason, message: str, next_account: NextAccount | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.next_account = next_account


class PreconditionError(SignerError):
    """Somebody has to act before this can work: resume, reconcile, confirm on the device.

    `next_account` would sign instead, after a new quote.
    """

    def __init__(self, reason: FailReason, message: str, next_account: NextAccount | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.next_account = next_account


class RejectedError(SignerError):
    """A person said no, or nobody said yes in time. No signature exists; asking again needs a new request."""

    def __init__(self, reason: DenyReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class OverloadedError(SignerError):
    """Too many requests in flight; refused at once instead of queued."""


class BrokenError(SignerError):
    """The signer itself is broken: a signature that does not verify, a ledger that contradicts itself."""

    def __init__(self, reason: FailReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ConfigurationError(SignerError):
    """A settings, policy, certificate or ledger file cannot be used.

    Names file, place and what is allowed.
    """
