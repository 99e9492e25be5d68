"""How many tests of each folder passed, failed and were skipped; refuses to count but by path."""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

FOLDERS = ("unit", "property", "integration", "e2e", "attack")
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed")
COUNTS_FILE_VARIABLE = "AIRLOCK_COUNTS"  # where a run of several pytest processes collects its numbers


def summary_lines(reporter: pytest.TerminalReporter) -> list[str]:
    """The lines for the end of a pytest run; none when several runs are being added up."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in OUTCOMES:
        for report in reporter.stats.get(outcome, []):
            parts = report.nodeid.split("/")
            counts[parts[1] if len(parts) > 2 else "other"][outcome] += 1
    target = os.environ.get(COUNTS_FILE_VARIABLE)
    if target is None:
        return render(counts)
    Path(target).write_text(json.dumps(counts), encoding="utf-8")
    return []


def render(counts: dict[str, Counter[str]]) -> list[str]:
    """One line per folder, in the usual order."""
    known = [folder for folder in FOLDERS if folder in counts]
    others = sorted(set(counts) - set(FOLDERS))
    return [f"{folder:<12} {_outcomes(counts[folder])}" for folder in known + others]


def read(path: Path) -> dict[str, Counter[str]]:
    """The numbers that another pytest process left; none when it did not get that far."""
    if not path.exists():
        return {}
    return {folder: Counter(found) for folder, found in json.loads(path.read_text(encoding="utf-8")).items()}


def _outcomes(found: Counter[str]) -> str:
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])
