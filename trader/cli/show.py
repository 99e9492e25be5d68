"""A table for people, or one JSON object for programs."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

Cell = str | int | bool | None
Rows = Sequence[Mapping[str, Cell]]


def show(
    sections: Mapping[str, Rows], *, as_json: bool, columns: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Print every section; a cell that is None is left empty.

    `columns` names, by section, what fits a terminal; JSON always has everything.
    """
    if as_json:
        print(json.dumps({name: [dict(row) for row in rows] for name, rows in sections.items()}))
        return
    console = Console()
    for name, rows in sections.items():
        if not rows:
            console.print(f"{name}: none")
            continue
        table = Table(title=name, title_justify="left")
        shown = (columns or {}).get(name, tuple(rows[0]))
        for column in shown:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if row[column] is None else str(row[column]) for column in shown))
        console.print(table)
