"""`airlock-trader`: hands the command line to trader.cli."""

import sys

from trader.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
