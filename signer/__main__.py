"""`airlock-signer`: the command line. Prints and exits; the work is done elsewhere."""

import gc
import sys


def main() -> None:
    """Run one command and exit with its code (signer.cli.exit_codes)."""
    gc.disable()  # nothing that is imported is garbage, and looking for some takes a sixth of the start
    from signer.settings import harden_environment  # noqa: PLC0415 - as late as that

    harden_environment()
    from signer.cli import commands  # noqa: PLC0415 - brings grpc, which reads its environment when it is imported

    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
