"""Makes `.venv` from the hashed requirements; refuses a package without a hash. Standard library only.

Two stamps inside `.venv` say what it was made from: the requirements, and our own project's metadata. They
are written last: an interrupted run is simply done again, a run that finds both unchanged does nothing.
"""

import hashlib
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.testbed.download import MissingToolError

_RECIPE = "1"  # raise it when the steps below change, so that old environments are made again
_REQUIREMENTS, _PROJECT = "requirements.stamp", "project.stamp"


def ensure(root: Path, say: Callable[[str], None]) -> None:
    """Brings `root/.venv` up to date with `requirements/dev.txt` and `pyproject.toml`."""
    venv, requirements = root / ".venv", root / "requirements" / "dev.txt"
    python, wanted = venv / "bin" / "python", wanted_stamps(root)
    if not _stamped(venv / _REQUIREMENTS, wanted[_REQUIREMENTS]):
        _create(venv, python, say)
        count = sum("==" in line[:60] for line in requirements.read_text(encoding="utf-8").splitlines())
        say(f"environment: installing up to {count} packages, hashes verified; a minute or two at first")
        started = time.monotonic()
        _pip(python, root, "--require-hashes", "-r", str(requirements))
        say(f"environment: packages installed in {time.monotonic() - started:.0f} s")
        _stamp(venv / _REQUIREMENTS, wanted[_REQUIREMENTS])
    if not _stamped(venv / _PROJECT, wanted[_PROJECT]):
        say("environment: installing airlock itself, editable")
        _pip(python, root, "--no-deps", "--no-build-isolation", "-e", str(root))
        _stamp(venv / _PROJECT, wanted[_PROJECT])


def wanted_stamps(root: Path) -> dict[str, str]:
    """What the stamps of an up-to-date environment say, by file name."""
    requirements = (root / "requirements" / "dev.txt").read_text(encoding="utf-8")
    return {
        _REQUIREMENTS: _digest(_RECIPE, sys.version.split()[0], requirements),
        _PROJECT: _digest(_RECIPE, str(root), _project_metadata(root)),
    }


def _create(venv: Path, python: Path, say: Callable[[str], None]) -> None:
    if (
        python.exists()
        and subprocess.run(
            [str(python), "-m", "pip", "--version"], capture_output=True, check=False
        ).returncode
        == 0
    ):
        return
    say(f"environment: making {venv} with Python {sys.version.split()[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MissingToolError(
            "this Python cannot make a virtual environment; install its venv module (Debian, Ubuntu: "
            "`apt-get install python3-venv`), then run this again: "
            f"{(done.stdout + done.stderr).strip()[-300:]}"
        )


def _pip(python: Path, root: Path, *arguments: str) -> None:
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        *arguments,
    ]
    done = subprocess.run(command, cwd=root, check=False, stdin=subprocess.DEVNULL, close_fds=False)
    if done.returncode != 0:
        raise OSError(
            f"`pip install {' '.join(arguments)}` failed, exit code {done.returncode}; its reason is above"
        )


def _project_metadata(root: Path) -> str:
    parsed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return json.dumps(
        [parsed["build-system"], parsed["project"], parsed["tool"]["setuptools"]], sort_keys=True
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _stamped(path: Path, wanted: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == wanted


def _stamp(path: Path, wanted: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(wanted, encoding="utf-8")
    temporary.replace(path)
