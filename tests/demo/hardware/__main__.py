"""Runs the rehearsal; the last line is `HARDWARE ` and a JSON object.

Ends with 1 when it does not show what it claims.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from signer.settings import harden_environment

harden_environment()

from rich.console import Console  # noqa: E402 - nothing may import grpc before the line above

from tests.demo.hardware.scenes import Seen, play  # noqa: E402

WIDTH_OF_LOGS = 110


def report(seen: Seen, seconds: float) -> int:
    """Print the last line; returns the exit code."""
    print("HARDWARE " + json.dumps(seen.figures() | {"seconds": round(seconds, 1)}), flush=True)
    return 0 if seen.everything() else 1


async def rehearse(console: Console, folder: Path) -> int:
    """Play everything; returns the exit code."""
    started = time.monotonic()
    seen = await play(console, folder)
    return report(seen, time.monotonic() - started)


def main() -> None:
    """Run in a folder that goes away with the rehearsal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_OF_LOGS)
    with tempfile.TemporaryDirectory(prefix="airlock-hardware-") as folder:
        sys.exit(asyncio.run(rehearse(console, Path(folder))))


if __name__ == "__main__":
    main()
