"""The compose file is checked, not run: no Docker engine is needed here."""

import re
import subprocess
import sys
from typing import cast

import pytest
from ruamel.yaml import YAML

from tests.testbed.packages import Json
from tests.testbed.processes import ROOT

COMPOSE = ROOT / "docker-compose.yml"
SERVICES = ("signer", "trader", "postgres")
PROGRAMS = ("signer", "trader")


def _compose() -> dict[str, Json]:
    return cast("dict[str, Json]", YAML(typ="safe").load(COMPOSE.read_text(encoding="utf-8")))


def _service(name: str) -> dict[str, Json]:
    services = _compose()["services"]
    assert isinstance(services, dict)
    service = services[name]
    assert isinstance(service, dict)
    return service


def _list(service: dict[str, Json], key: str) -> list[Json]:
    found = service.get(key, [])
    assert isinstance(found, list)
    return found


def test_the_file_is_valid_compose() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_exactly_three_services() -> None:
    services = _compose()["services"]

    assert isinstance(services, dict)
    assert set(services) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_write_nowhere_and_gain_nothing(name: str) -> None:
    service = _service(name)

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service["user"])), "a numeric user that is not root"
    for dangerous in (
        "privileged",
        "cap_add",
        "pid",
        "ipc",
        "network_mode",
        "devices",
        "userns_mode",
        "ports",
    ):
        assert dangerous not in service


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_and_watched(name: str) -> None:
    service = _service(name)

    assert {"healthcheck", "mem_limit", "pids_limit", "stop_grace_period", "tmpfs"} <= set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_an_environment(name: str) -> None:
    environment = _service(name).get("environment", {})

    assert isinstance(environment, dict)
    for key, value in environment.items():
        looks_secret = re.search(r"PASS|SECRET|TOKEN|KEY|MNEMONIC|DSN|URL", key)
        assert not looks_secret or (key.endswith("_FILE") and str(value).startswith("/run/secrets/")), key


def test_every_secret_is_a_file_that_git_ignores() -> None:
    secrets = _compose()["secrets"]
    assert isinstance(secrets, dict)
    used = {str(secret) for name in SERVICES for secret in _list(_service(name), "secrets")}

    assert used == set(secrets)
    for name, secret in secrets.items():
        assert isinstance(secret, dict)
        assert list(secret) == ["file"], name
        assert str(secret["file"]).startswith("./secrets/"), name
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/secrets/", "/config/"} <= set(ignored)


def test_no_key_of_the_signer_reaches_the_trader() -> None:
    signer, trader = (set(map(str, _list(_service(name), "secrets"))) for name in PROGRAMS)

    assert signer & trader == set()


def test_the_database_is_out_of_the_signers_reach_and_both_are_off_the_internet() -> None:
    networks = _compose()["networks"]
    assert isinstance(networks, dict)

    assert set(_list(_service("signer"), "networks")) == {"signing", "signer_chain"}
    assert set(_list(_service("trader"), "networks")) == {"signing", "storage", "trader_chain"}
    assert _list(_service("postgres"), "networks") == ["storage"]
    assert networks["signing"] == networks["storage"] == {"internal": True}


def test_no_host_folder_is_writable() -> None:
    for name in SERVICES:
        for volume in map(str, _list(_service(name), "volumes")):
            assert not volume.startswith((".", "/")) or volume.endswith(":ro"), f"{name}: {volume}"


def test_trading_for_real_is_not_the_default() -> None:
    assert "--live" not in _list(_service("trader"), "command")


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_runs_as_the_user_that_compose_names(name: str) -> None:
    dockerfile = (ROOT / name / "Dockerfile").read_text(encoding="utf-8")
    stages = [line for line in dockerfile.splitlines() if line.startswith("FROM ")]

    assert f"\nUSER {_service(name)['user']}\n" in dockerfile
    assert "--require-hashes" in dockerfile
    assert len(stages) == 2, "one stage builds, the other only runs"
    other = {"signer": "trader", "trader": "signer"}[name]
    assert not re.search(rf"^COPY .*\b{other}\b", dockerfile, re.MULTILINE)
