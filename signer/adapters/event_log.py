"""Operational events as JSON lines on stderr. Fields are named by the caller; only the time is added."""

import sys

import structlog


class JsonEventLog:
    """Writes events (signer.ports.events.EventLog)."""

    def __init__(self) -> None:
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )

    def event(self, name: str, **fields: object) -> None:
        """Write one line."""
        self._log.info(name, **fields)
