"""`airlock-trader`: hands the command line to trader.cli."""

import gc
import sys


def main() -> None:
    """Run one command and exit with its code (trader.cli.exit_codes)."""
    gc.disable()  # nothing that is imported is garbage, and looking for some takes a sixth of the start
    from trader.cli import commands  # noqa: PLC0415 - as late as that

    gc.freeze()  # … neither now nor when it ends
    gc.enable()
    sys.exit(commands.main())


if __name__ == "__main__":
    main()
