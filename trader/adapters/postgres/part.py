"""What every part of the store stands on: the database, and nothing else."""

from trader.adapters.postgres.pool import Database


class Part:
    """A group of the store's methods."""

    def __init__(self, database: Database) -> None:
        self._database = database


def call(function: str, arguments: int) -> str:
    """Statement that calls a function of the schema with that many arguments."""
    return f"SELECT {function}({', '.join(f'${number}' for number in range(1, arguments + 1))})"
