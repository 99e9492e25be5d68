"""Events as JSON lines on stderr; refuses to print raw bytes."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger


def log_to_stderr(*, verbose: bool) -> None:
    """One JSON object a line: time (UTC), level, event, fields."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_bytes,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _without_bytes(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """No event may carry bytes: they could be a signed transaction."""
    return {
        key: f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else value
        for key, value in event.items()
    }
