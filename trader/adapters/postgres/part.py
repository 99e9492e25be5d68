"""What every part of the store stands on: the database, and nothing else."""

from collections.abc import Sequence
from typing import Protocol

from trader.adapters.postgres.pool import Database


class Fetchval(Protocol):
    """First value of a statement's first row: the database's own method, or that of an open transaction."""

    async def __call__(self, query: str, *arguments: object) -> object:
        """Run the statement."""
        ...


class Part:
    """A group of the store's methods."""

    def __init__(self, database: Database) -> None:
        self._database = database


def call(function: str, arguments: int, *constants: Sequence[str]) -> str:
    """Statement that calls a function of the schema with so many arguments; last come lists of words."""
    given = [f"${number}" for number in range(1, arguments + 1)]
    given += [f"'{{{','.join(words)}}}'" for words in constants]
    return f"SELECT {function}({', '.join(given)})"
