"""Exit codes are stable, and what the world did is one line on stderr, never a traceback."""

import sys
from pathlib import Path

import pytest

from tests.testbed.processes import ROOT, Child
from trader.cli.exit_codes import ExitCode

EXAMPLE = ROOT / "docs" / "trader.example.toml"


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        (["status", "--config", "nothing.toml"], ExitCode.CONFIGURATION, "nothing.toml: No such file"),
        (["status", "--config", str(EXAMPLE)], ExitCode.CONFIGURATION, "secrets/dsn"),
        (["run", "--config", "{here}/far.toml"], ExitCode.OUT_OF_REACH, "127.0.0.1"),
        (["doctor", "--config", "{here}/far.toml"], ExitCode.FOUND_A_PROBLEM, "database"),
        (["dance"], ExitCode.USAGE, "invalid choice"),
        (["--help"], ExitCode.OK, "exit codes"),
    ],
    ids=["no file", "no secret", "no database", "doctor goes on", "no such command", "help"],
)
async def test_each_end_has_its_exit_code_and_says_why(
    tmp_path: Path, arguments: list[str], expected: ExitCode, words: str
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    far = text.replace('"file:secrets/dsn"', '"postgresql://nobody@127.0.0.1:1/airlock"')
    (tmp_path / "far.toml").write_text(far, encoding="utf-8")
    argv = [sys.executable, "-m", "trader", *(text.format(here=tmp_path) for text in arguments)]
    async with Child(argv, log=tmp_path / "log") as child:
        code = await child.wait(30)

    assert code == expected, child.log()
    assert words in child.log()
    assert "Traceback" not in child.log()
