"""Exit codes, stable: scripts may rely on them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    FOUND_A_PROBLEM = 1
    USAGE = 2
    CONFIGURATION = 3
    OUT_OF_REACH = 4
    STOPPED_LATE = 5
