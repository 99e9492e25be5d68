"""How a node can fail, sorted by what the caller may do next. Outside, all are ChainUnavailableError."""

from trader.domain.errors import ChainUnavailableError


class RpcRefusedError(ChainUnavailableError):
    """The node answered with a JSON-RPC error. `code` and `message` are the node's; nothing is retried."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: the node says {code} {message[:200]}")
        self.code, self.message = code, message


class CallRevertedError(RpcRefusedError):
    """The contract reverted an `eth_call`; a definite answer for this block."""


class NotSentError(ChainUnavailableError):
    """The connection was refused: the request never left, so repeating it is safe even for a write."""


class BusyError(ChainUnavailableError):
    """The node asks for patience. `retry_after_ms` is what it named, or None."""

    def __init__(self, text: str, retry_after_ms: int | None) -> None:
        super().__init__(text)
        self.retry_after_ms = retry_after_ms


class NonsenseError(ChainUnavailableError):
    """The answer is not what the method returns; asking again may help."""
