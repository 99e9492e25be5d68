"""What a double tells on stdout: one JSON object a line, never two in one.

A device speaks from threads of its own, beside the one that reads stdin.
"""

import json
import threading
from collections.abc import Mapping

_SAYING = threading.Lock()


def say(line: Mapping[str, object]) -> None:
    """One whole line, at once."""
    with _SAYING:
        print(json.dumps(line), flush=True)
