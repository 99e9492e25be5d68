"""The signer's command line: a command loads its own module, and all together are the list."""

import argparse
import subprocess
import sys

import pytest

from signer.cli.commands import COMMANDS, parser

_LOADS = """
import sys
from signer.cli import commands
commands.parser(["mock-device", "ledger"])
print(sorted({"grpc", "aiohttp", "hvac", "rich"} & set(sys.modules)))
"""


def _choices(top: argparse.ArgumentParser) -> list[str]:
    (choices,) = (action.choices for action in top._actions if isinstance(action.choices, dict))
    return list(choices)


def test_the_list_is_whole_and_in_order() -> None:
    assert _choices(parser()) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_module_that_is_named_for_it(name: str) -> None:
    assert name in _choices(parser([name]))


@pytest.mark.parametrize("arguments", [["buy"], ["--help"], [""]])
def test_whoever_names_no_command_hears_of_all(arguments: list[str]) -> None:
    assert _choices(parser(arguments)) == list(COMMANDS)


def test_a_command_loads_nothing_that_only_others_need() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LOADS], capture_output=True, text=True, check=True, timeout=120
    )

    assert ended.stdout.split() == ["[]"]
