"""Instants. Whole milliseconds since the unix epoch, UTC; no calendar, no clock."""

from typing import NewType

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

MS_PER_S = 1000
