"""`airlock-signer`: the command line. Prints and exits; the work is done elsewhere."""

import sys

from signer.settings import harden_environment


def main() -> None:
    """Run one command and exit with its code (signer.cli.exit_codes)."""
    harden_environment()
    from signer.cli import commands  # noqa: PLC0415 - brings grpc, which reads its environment when it is imported

    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
