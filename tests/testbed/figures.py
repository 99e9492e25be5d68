"""Figures that a test measured, one line for each name at the end of the run; refuses to judge them.

    def test_it(figures: Figures) -> None:
        figures("VAULT_OUTAGES", "sealed", {"signed": 312, "recovery_ms": 40})

prints `VAULT_OUTAGES {"sealed": {"signed": 312, "recovery_ms": 40}}`, other tests' cases beside it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from tests.testbed.packages import Json

Figures: TypeAlias = Callable[[str, str, Mapping[str, Json]], None]

_MARK = "figures "


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Takes name, case and figures. Kept in the test's report, so that they survive whatever comes after."""

    def take(name: str, case: str, measured: Mapping[str, Json]) -> None:
        record_property(f"{_MARK}{name}", json.dumps({case: dict(measured)}))

    return take


def figure_lines(reporter: pytest.TerminalReporter) -> list[str]:
    """The lines for the end of a pytest run."""
    found: dict[str, dict[str, Json]] = defaultdict(dict)
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, []):
            for key, text in report.user_properties:
                if key.startswith(_MARK):
                    found[key.removeprefix(_MARK)].update(json.loads(text))
    return [f"{name} {json.dumps(cases)}" for name, cases in found.items()]
