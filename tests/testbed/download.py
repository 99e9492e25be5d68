"""Fetches the pinned npm tarballs into the cache; refuses one whose checksum differs. Standard library only.

`npm pack` only downloads: no dependency tree, no install scripts. A run that is interrupted leaves a
temporary folder and no package; the next run starts that package again.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tests.testbed import packages
from tests.testbed.packages import Pin

_NPM_TIMEOUT_S = 300


class MissingToolError(Exception):
    """Something that this machine lacks; the text carries the command that installs it."""


def fetch_missing(say: Callable[[str], None]) -> None:
    """Brings every package that this machine needs and does not have yet."""
    wanted = [pin for pin in _needed() if not packages.package_dir(pin).exists()]
    if not wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise MissingToolError(_no_npm(wanted))
    for number, pin in enumerate(wanted, start=1):
        say(f"test bed: fetching {pin.spec} ({number}/{len(wanted)}) into {packages.cache_dir()}")
        _fetch(npm, pin)


def _needed() -> tuple[Pin, ...]:
    if shutil.which("anvil") is not None:
        return packages.uniswap_pins()
    pin = packages.anvil_pin()
    if pin is None:
        raise MissingToolError(
            "anvil is not on PATH and no anvil package is pinned for this platform: install Foundry "
            "(its installer `foundryup` puts anvil on PATH), then run this again"
        )
    return (pin, *packages.uniswap_pins())


def _no_npm(wanted: list[Pin]) -> str:
    has_anvil = "anvil is on PATH, but" if shutil.which("anvil") else "anvil is not on PATH and"
    return (
        f"{has_anvil} npm is missing, and the test bed still needs {', '.join(pin.spec for pin in wanted)}: "
        "install npm (Debian, Ubuntu: `apt-get install npm`; macOS: `brew install node`), then run this again"
    )


def _fetch(npm: str, pin: Pin) -> None:
    target = packages.package_dir(pin)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as temporary:
        scratch = Path(temporary)
        tarball = _pack(npm, pin, scratch)
        found = hashlib.sha512(tarball.read_bytes()).hexdigest()
        if found != pin.sha512:
            raise ValueError(
                f"{pin.spec}: the tarball's sha512 is {found}, the pin says {pin.sha512}; nothing was kept"
            )
        unpacked = scratch / "unpacked"
        unpack(tarball, unpacked)
        unpacked.rename(target)


def _pack(npm: str, pin: Pin, scratch: Path) -> Path:
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(scratch), pin.spec]
    done = subprocess.run(
        command,
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=_NPM_TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
        close_fds=False,
    )
    tarballs = sorted(scratch.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        raise OSError(
            f"`npm pack {pin.spec}` failed with exit code {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    return tarballs[0]


def unpack(tarball: Path, target: Path) -> None:
    """Unpacks an npm tarball without its top folder; refuses links and names that lead outside `target`."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isdir():
                continue
            parts = PurePosixPath(member.name).parts
            source = archive.extractfile(member) if member.isfile() else None
            if source is None or ".." in parts or PurePosixPath(member.name).is_absolute():
                raise ValueError(
                    f"{tarball.name} holds {member.name!r}, which is not a plain file below its folder"
                )
            path = target.joinpath(*parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read())
            path.chmod(0o755 if member.mode & 0o111 else 0o644)
