"""The commands and their exit codes; refuses to show a traceback for what the world did."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path

from trader.app import run
from trader.cli.doctor import doctor
from trader.cli.exit_codes import ExitCode
from trader.cli.logs import log_to_stderr
from trader.cli.reports import orders, positions, status
from trader.cli.wallets import release
from trader.domain.errors import (
    ChainUnavailableError,
    ConfigurationError,
    SecretsUnavailableError,
    SignerNotReadyError,
    SignerUnavailableError,
    StoreUnavailableError,
)
from trader.settings import Settings, load

_OUT_OF_REACH = (
    ChainUnavailableError,
    SecretsUnavailableError,
    StoreUnavailableError,
    SignerUnavailableError,
    SignerNotReadyError,
)

_EXIT_CODES = "\n".join(f"  {code.value}  {code.name.lower().replace('_', ' ')}" for code in ExitCode)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    log_to_stderr(verbose=asked.verbose)
    try:
        settings = load(asked.config)
        return _loop(_command(asked, settings))
    except ConfigurationError as error:
        print(f"airlock-trader: {error}", file=sys.stderr)
        return ExitCode.CONFIGURATION
    except _OUT_OF_REACH as error:
        print(f"airlock-trader: {error}", file=sys.stderr)
        return ExitCode.OUT_OF_REACH


def _command(asked: argparse.Namespace, settings: Settings) -> Coroutine[None, None, int]:
    match asked.command:
        case "run":
            return _run(settings, live=asked.live)
        case "status":
            return status(settings, as_json=asked.json)
        case "orders":
            return orders(settings, as_json=asked.json, open_only=asked.open, limit=asked.limit)
        case "positions":
            return positions(settings, as_json=asked.json)
        case "release":
            return release(settings, as_json=asked.json)
        case _:
            return doctor(settings, as_json=asked.json)


async def _run(settings: Settings, *, live: bool) -> int:
    return ExitCode.OK if await run(settings, live=live) else ExitCode.STOPPED_LATE


def _loop(command: Coroutine[None, None, int]) -> int:
    """Run on uvloop where it is installed; it halves the cost of an answer from the signer."""
    try:
        import uvloop  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return asyncio.run(command)
    return int(uvloop.run(command))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="airlock-trader",
        description="Trades without holding a key: the signer decides and signs.",
        epilog=f"exit codes:\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, required=True, metavar="FILE", help="settings, TOML")
    shared.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")
    shared.add_argument("--verbose", action="store_true", help="also debug events on stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    starting = commands.add_parser("run", parents=[shared], help="trade; a dry run unless --live")
    starting.add_argument("--live", action="store_true", help="sign and broadcast")
    commands.add_parser("status", parents=[shared], help="orders by state, halted wallets, balances")
    listing = commands.add_parser("orders", parents=[shared], help="orders, newest first")
    listing.add_argument("--open", action="store_true", help="only those that are not closed")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20)")
    commands.add_parser("positions", parents=[shared], help="funds, positions and what trading earned")
    commands.add_parser(
        "release", parents=[shared], help="let a halted wallet trade again, if its books agree"
    )
    commands.add_parser("doctor", parents=[shared], help="check everything that a run needs")
    return parser
