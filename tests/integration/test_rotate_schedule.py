"""`airlock-signer rotate schedule`: what it lists, and which exit code tells a script to wake somebody."""

import json
import os
from pathlib import Path

import pytest

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.cli import commands
from signer.cli.exit_codes import ExitCode
from tests.fakes import wire
from tests.integration.test_signer_contract import SETTINGS

_VAULT = """
[vault]
address = "https://127.0.0.1:1"
ca = "pki/ca.pem"
checkpoint_key = "airlock-audit"
login = { approle = { role_id = "r", secret_id_file = "secret-id.wrapped" } }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_dev_pki(tmp_path / "pki", now=SystemClock().now())
    (tmp_path / "policy.toml").write_text(wire.POLICY)
    path = tmp_path / "signer.toml"
    path.write_text(SETTINGS.format(url="http://127.0.0.1:1", account=wire.ACCOUNT))
    return path


def _schedule(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, object]]]:
    code = commands.run(["rotate", "schedule", "--config", str(config), "--json"])
    entries = json.loads(capsys.readouterr().out)["entries"]
    return code, {entry["what"]: entry for entry in entries}


def test_when_nothing_is_due_a_script_hears_0(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, entries = _schedule(config, capsys)

    assert code == ExitCode.OK
    assert set(entries) == {"server_certificate", "client_authority", "policy"}
    assert entries["policy"]["command"] == "review it, then airlock-signer reload-policy"


def test_when_something_is_overdue_a_script_hears_1_and_sees_it_first(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(f"{config.read_text()}\n[rotation]\npolicy_days = 30\n")
    long_ago_s = SystemClock().now() // 1_000 - 40 * 86_400
    os.utime(config.with_name("policy.toml"), (long_ago_s, long_ago_s))
    code, entries = _schedule(config, capsys)
    shown = commands.run(["rotate", "schedule", "--config", str(config)])

    assert code == shown == ExitCode.FINDINGS
    assert next(iter(entries)) == "policy"
    assert entries["policy"]["state"] == "overdue"
    assert -11 * 86_400 < int(str(entries["policy"]["due_in_s"])) <= -10 * 86_400
    assert "overdue" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["", 'metrics_listen = "127.0.0.1:1"\n'])
def test_what_cannot_be_looked_at_is_not_fine(
    config: Path, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    config.write_text(f"{page}{config.read_text()}{_VAULT}")
    code, entries = _schedule(config, capsys)

    assert code == ExitCode.UNREACHABLE
    for what in ("vault_token", "vault_credential", "wrapping_key", "checkpoint_key", "audit_checkpoint"):
        assert entries[what]["state"] == "unknown"
        assert entries[what]["problem"]
