"""Write all bytes to a descriptor, or raise. A part that was written stays written."""

import os


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data` in as many calls as the system wants. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
