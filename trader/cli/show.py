"""A table for people, or one JSON object for programs."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

Cell = str | int | bool | None
Rows = Sequence[Mapping[str, Cell]]


def show(sections: Mapping[str, Rows], *, as_json: bool) -> None:
    """Print every section; a cell that is None is left empty."""
    if as_json:
        print(json.dumps({name: [dict(row) for row in rows] for name, rows in sections.items()}))
        return
    console = Console()
    for name, rows in sections.items():
        if not rows:
            console.print(f"{name}: none")
            continue
        table = Table(title=name, title_justify="left")
        for column in rows[0]:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
        console.print(table)
