import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.testbed import download, environment, packages
from tests.testbed.packages import Pin
from tests.testbed.processes import ROOT

PIN = Pin(name="@door/knock", version="1.2.3", sha512="0" * 128)


def _silent(_text: str) -> None:
    """Says nothing."""


def _tarball(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _fake_npm(folder: Path, tarball: Path) -> None:
    """An npm whose `pack` leaves `tarball` in its working folder."""
    npm = folder / "npm"
    npm.write_text(f"#!/bin/sh\n/bin/cp {tarball} ./knock-1.2.3.tgz\n", encoding="utf-8")
    npm.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a PATH with nothing on it but the returned folder, and one pin for every platform."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("AIRLOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(packages, "anvil_pin", lambda: PIN)
    monkeypatch.setattr(packages, "uniswap_pins", lambda: (PIN,))
    return tools


def _add_anvil(tools: Path) -> None:
    (tools / "anvil").write_text("#!/bin/sh\n", encoding="utf-8")
    (tools / "anvil").chmod(0o755)


@pytest.mark.usefixtures("machine")
def test_without_npm_and_anvil_both_are_named_with_the_remedy() -> None:
    with pytest.raises(
        download.MissingToolError, match=r"anvil is not on PATH and npm is missing.*apt-get install npm"
    ):
        download.fetch_missing(_silent)


def test_with_anvil_but_without_npm_the_contracts_are_what_is_missing(machine: Path) -> None:
    _add_anvil(machine)

    with pytest.raises(
        download.MissingToolError, match=r"anvil is on PATH, but npm is missing.*@door/knock@1\.2\.3"
    ):
        download.fetch_missing(_silent)


@pytest.mark.usefixtures("machine")
def test_a_platform_without_a_pinned_anvil_is_told_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "anvil_pin", lambda: None)

    with pytest.raises(download.MissingToolError, match="install Foundry"):
        download.fetch_missing(_silent)


def test_a_tarball_with_another_checksum_leaves_nothing_behind(machine: Path, tmp_path: Path) -> None:
    _add_anvil(machine)
    _fake_npm(machine, _tarball(tmp_path / "t.tgz", (tarfile.TarInfo("package/a.json"), b"{}")))

    with pytest.raises(ValueError, match="sha512"):
        download.fetch_missing(_silent)

    assert list((tmp_path / "cache" / "npm").iterdir()) == []


def test_a_package_is_fetched_once_and_announced(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add_anvil(machine)
    tarball = _tarball(tmp_path / "t.tgz", (tarfile.TarInfo("package/a.json"), b"{}"))
    _fake_npm(machine, tarball)
    good = Pin(name=PIN.name, version=PIN.version, sha512=hashlib.sha512(tarball.read_bytes()).hexdigest())
    monkeypatch.setattr(packages, "uniswap_pins", lambda: (good,))
    said: list[str] = []

    download.fetch_missing(said.append)
    download.fetch_missing(said.append)

    assert (packages.package_dir(good) / "a.json").read_text(encoding="utf-8") == "{}"
    assert len(said) == 1


def test_an_npm_that_fails_is_quoted(machine: Path) -> None:
    _add_anvil(machine)
    (machine / "npm").write_text("#!/bin/sh\necho E404 >&2\nexit 1\n", encoding="utf-8")
    (machine / "npm").chmod(0o755)

    with pytest.raises(OSError, match="exit code 1: E404"):
        download.fetch_missing(_silent)


@pytest.mark.parametrize("name", ["package/../../outside", "/absolute"])
def test_a_tarball_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    tarball = _tarball(tmp_path / "t.tgz", (tarfile.TarInfo(name), b"x"))

    with pytest.raises(ValueError, match="not a plain file below"):
        download.unpack(tarball, tmp_path / "target")


def test_a_tarball_cannot_bring_a_link(tmp_path: Path) -> None:
    link = tarfile.TarInfo("package/link")
    link.type, link.linkname = tarfile.SYMTYPE, "../secret"
    tarball = _tarball(tmp_path / "t.tgz", (link, b""))

    with pytest.raises(ValueError, match="not a plain file below"):
        download.unpack(tarball, tmp_path / "target")


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for name, digest in environment.wanted_stamps(tmp_path).items():
        (tmp_path / ".venv").mkdir(exist_ok=True)
        (tmp_path / ".venv" / name).write_text(digest, encoding="utf-8")
    said: list[str] = []

    environment.ensure(tmp_path, said.append)

    assert said == []


def test_an_old_python_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.version_info = (3, 9, 2)\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "tests.testbed.bootstrap"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Python 3.9 is too old, airlock needs 3.11" in done.stderr
    assert "Traceback" not in done.stderr
