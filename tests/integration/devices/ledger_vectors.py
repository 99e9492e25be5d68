"""Exchanges of the real Ledger applications, where those recordings are at hand."""

import json
from pathlib import Path
from typing import TypedDict

import pytest

FOLDER = Path(__file__).parents[3].parent / "shared" / "vectors" / "ledger"
APPLICATIONS = {"Ethereum": "ethereum_1.22.0.json", "Solana": "solana_1.9.0.json"}


class Exchange(TypedDict):
    case: str
    apdu: str
    response: str


class Recording(TypedDict):
    exchanges: list[Exchange]


def exchanges(application: str) -> list[Exchange]:
    path = FOLDER / APPLICATIONS[application]
    if not path.exists():
        pytest.skip("recorded exchanges of the applications are not beside the project")
    recording: Recording = json.loads(path.read_text())
    return recording["exchanges"]


def blind_signing(answer_to_config: str) -> bool:
    """What the person had set when a configuration was recorded: flag 1 of either application."""
    return bool(int(answer_to_config[:2], 16) & 1)


def of_case(application: str, case: str) -> list[Exchange]:
    return [each for each in exchanges(application) if each["case"] == case]
