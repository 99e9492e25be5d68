"""The metrics page and the schedule are what the documentation says."""

import re

import pytest

from signer.adapters.metrics.approvals import ApprovalMetrics
from signer.adapters.metrics.calls import CallMetrics
from signer.adapters.metrics.rotations import CheckpointMetrics, RotationMetrics
from signer.adapters.metrics.state import StateMetrics
from signer.cli import commands
from signer.domain.rotating import Rotating
from signer.service.audit_checkpoints import CheckpointState
from signer.service.rotation_schedule import COMMANDS
from tests.fakes.clock import FakeClock
from tests.testbed.processes import ROOT


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    state = CheckpointState(last_seq=0, last_at=None, uncovered=0, failing_since=None, problem="")
    collectors = (
        CallMetrics(),
        RotationMetrics(tuple, FakeClock()),
        CheckpointMetrics(lambda: state, FakeClock()),
        StateMetrics(accounts=dict, parts={}),
        ApprovalMetrics(dict),
    )
    shown = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for collector in collectors
        for metric in collector.collect()
    }
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(airlock_\w+)`", text, re.MULTILINE)) == shown


@pytest.mark.parametrize("what", list(Rotating))
def test_the_command_that_a_schedule_names_exists(what: Rotating, capsys: pytest.CaptureFixture[str]) -> None:
    command = COMMANDS[what].split("airlock-signer ")
    if len(command) == 1:
        return
    with pytest.raises(SystemExit) as ended:
        commands.run([*command[1].split(), "--help"])

    assert ended.value.code == 0
    assert "usage: airlock-signer" in capsys.readouterr().out
