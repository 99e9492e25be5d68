"""The memory of this process, closed to core dumps and to the user's other processes. Not closed to root."""

import ctypes
import os
import resource

from signer.domain.errors import ConfigurationError

_PR_SET_DUMPABLE = 4


def forbid_dumps() -> None:
    """No core dump, no ptrace and no /proc/PID/mem for anyone but root (prctl(2), PR_SET_DUMPABLE).

    Call it before a key or a token is read. Raises ConfigurationError when the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        problem = os.strerror(ctypes.get_errno())
        raise ConfigurationError(
            f"the system does not let this process forbid dumps of its memory: {problem}"
        )
