"""A session under a token that a person was given. Does not renew it and does not revoke it: it is theirs."""

import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from signer.adapters.vault.answers import integer
from signer.adapters.vault.connection import Connection, Question, Target
from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.health import VaultHealth
from signer.adapters.vault.keeper import Keeper
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.session import VaultSession
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs
from signer.ports.clock import Clock
from signer.ports.events import EventLog

_MAX_FILE_BYTES = 1_024
_TOKEN = re.compile(r"[!-~]{1,512}")


@asynccontextmanager
async def open_with_token(
    target: Target, token: str, *, clock: Clock, log: EventLog
) -> "AsyncIterator[VaultSession]":
    """A session for one command. Raises UnavailableError when Vault does not know the token."""
    connection = Connection(target)
    exchange = Exchange(connection)
    health = VaultHealth(clock, log)
    keeper = Keeper(exchange, GivenToken(token), clock=clock, log=log, health=health, chance=Random(0))  # noqa: S311 - nothing is retried
    session = VaultSession(exchange, keeper, health)
    try:
        await keeper.log_in()
        yield session
    finally:
        session.close()
        connection.close()


def read_token(source: str) -> str:
    """The token in a file of mode 0600, or at a file descriptor when `source` is its number.

    Raises ConfigurationError naming the source, never with a part of the content.
    """
    descriptor = source.isdecimal()
    try:
        opened = int(source) if descriptor else os.open(Path(source), os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"token file {source}: cannot be read: {error.strerror}; allowed is a file of mode 0600 or the "
            "number of an open file descriptor"
        ) from None
    if not descriptor and stat.S_ISREG(mode) and mode & 0o077:
        raise ConfigurationError(
            f"token file {source}: mode is {stat.filemode(mode)}; allowed is a file of mode 0600"
        )
    token = content.decode("ascii", errors="replace").strip()
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(f"token file {source}: holds no token; allowed is one, on one line")
    return token


class GivenToken:
    """The login of somebody who has logged in already (Login)."""

    name = "token"
    repeats = False

    def __init__(self, token: str) -> None:
        self._token = token

    def has_new_credential(self) -> bool:
        """Never: there is one token."""
        return False

    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        """Ask Vault whether it knows the token."""
        question = Question(method="GET", path="auth/token/lookup-self", token=self._token)
        ttl_s = integer((await vault.ask(question)).data, "ttl")
        return Lease(token=self._token, at=now, ttl_s=ttl_s, full_ttl_s=ttl_s, renewable=False)
