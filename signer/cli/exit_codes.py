"""Exit codes of every command. Stable: scripts and service managers depend on them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """2 is argparse's own code for a wrong command line."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    REFUSED = 5


MEANING = {
    ExitCode.OK: "done, nothing to object to",
    ExitCode.FINDINGS: "a check found something, listed in the output",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.CONFIGURATION: "a settings, policy, certificate, ledger or key file cannot be used",
    ExitCode.UNREACHABLE: "the signer or something that it needs is out of reach",
    ExitCode.REFUSED: "the signer answered and said no, or the person before a device did",
}
