"""Where the tests' Vault comes from, on machines with more and less on them."""

from pathlib import Path

import pytest

from tests.testbed import parts, vault_binary


@pytest.fixture(name="tools")
def _tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a PATH with nothing on it but the returned folder."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("AIRLOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("AIRLOCK_REQUIRE", raising=False)
    return tools


def _add(tools: Path, name: str, script: str) -> None:
    (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (tools / name).chmod(0o755)


@pytest.mark.parametrize("name", ["vault", "bao"])
def test_a_server_on_the_path_is_used_and_nothing_is_built(tools: Path, name: str) -> None:
    _add(tools, name, "")
    _add(tools, "go", "exit 1")
    said: list[str] = []

    vault_binary.build_if_missing(said.append)

    assert vault_binary.find() == tools / name
    assert said == []


@pytest.mark.usefixtures("tools")
def test_without_go_the_reason_and_the_remedy_are_told_and_the_rest_goes_on() -> None:
    said: list[str] = []

    vault_binary.build_if_missing(said.append)

    assert "neither `vault` nor `bao` nor `go` is on PATH" in said[0]
    with pytest.raises(pytest.skip.Exception, match=r"vault is missing.*install Go"):
        parts.require("vault")


@pytest.mark.usefixtures("tools")
def test_where_vault_is_required_the_skip_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOCK_REQUIRE", "vault")

    with pytest.raises(pytest.fail.Exception, match="vault is missing"):
        parts.require("vault")


def test_a_build_that_fails_is_told_and_leaves_nothing_behind(tools: Path) -> None:
    _add(tools, "go", "echo 'no route to the modules' >&2; exit 1")
    said: list[str] = []

    vault_binary.build_if_missing(said.append)

    assert "building Vault" in said[0]
    assert "no route to the modules" in said[-1]
    assert [each.name for each in vault_binary.cached().parent.iterdir()] == ["build.lock"]


def test_a_second_builder_finds_the_work_of_the_first(tools: Path) -> None:
    vault_binary.cached().parent.mkdir(parents=True)
    vault_binary.cached().write_text("built", encoding="utf-8")
    said: list[str] = []

    vault_binary.build(str(tools / "go"), said.append)

    assert said == []
