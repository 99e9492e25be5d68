"""Where the Vault of the tests comes from: PATH, the cache, one build with Go. Refuses to download a binary.

HashiCorp publishes no package for Python or npm, so a machine without `vault` and `bao` builds the server
once from its Go module. Standard library only, since the bootstrap runs it before anything is installed.
"""

import fcntl
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.testbed import packages

VERSION = "v1.21.2"
# Vault's own go.mod replaces these modules by folders of its repository, which no module download contains.
# The published sdk has to fit: 0.20.0 does, and v1.21.3 and v1.21.4 need one that was never published.
_SDK = "v0.20.0"
_VAULT = "github.com/hashicorp/vault"
_REPLACED = ("api", "sdk", "api/auth/approle", "api/auth/kubernetes", "api/auth/userpass")
_RECIPE = "1"  # raise it when the build below changes, so that old binaries are built again
_BUILD_TIMEOUT_S = 45 * 60
_PROGRESS_EVERY_S = 60


def find() -> Path | None:
    """The server to run, which is also HashiCorp's command line: on PATH, or cached, or None."""
    for name in ("vault", "bao"):
        on_path = shutil.which(name)
        if on_path is not None:
            return Path(on_path)
    return cached() if cached().exists() else None


def cached() -> Path:
    """Where the build is kept; the file exists only when it is complete."""
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return packages.cache_dir() / "vault" / f"{VERSION}-{machine}-{_RECIPE}" / "vault"


def build_if_missing(say: Callable[[str], None]) -> None:
    """Leaves a server behind where that is possible; otherwise says what is skipped, and why."""
    if find() is not None:
        return
    go = shutil.which("go")
    if go is None:
        say(
            "test bed: neither `vault` nor `bao` nor `go` is on PATH: the tests that need Vault are skipped; "
            "install one of them (Debian, Ubuntu: `apt-get install golang-go`), then run this again"
        )
        return
    try:
        build(go, say)
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        say(f"test bed: Vault was not built, so the tests that need it are skipped: {problem}")


def build(go: str, say: Callable[[str], None]) -> None:
    """Builds the server into the cache; a second builder waits for the first and finds its work."""
    target = cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)  # inherited: locked until Go itself has ended
        if target.exists():
            return
        say(
            f"test bed: building Vault {VERSION} with Go into {target.parent}, once; "
            "about 4 minutes on 2 cores, and up to 5 GB in Go's own caches"
        )
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
            _build_in(Path(scratch), go, say)
            (Path(scratch) / "vault").rename(target)
        say(f"test bed: Vault is built, after {time.monotonic() - started:.0f} s")


def _build_in(scratch: Path, go: str, say: Callable[[str], None]) -> None:
    # `go install` refuses a module with replace lines: a module of our own takes Vault's requirements over.
    (scratch / "go.mod").write_text("module tool\n\ngo 1.25\n", encoding="utf-8")
    download = _go(go, scratch, say, "mod", "download", "-json", f"{_VAULT}@{VERSION}")
    described: dict[str, str] = json.loads(download)
    source = Path(described["Dir"])
    for name in ("go.mod", "go.sum"):
        (scratch / name).write_bytes((source / name).read_bytes())
    requires = ("-require", f"{_VAULT}@{VERSION}", "-require", f"{_VAULT}/sdk@{_SDK}", "-tool", _VAULT)
    drops = [f"-dropreplace={_VAULT}/{name}" for name in _REPLACED]
    _go(go, scratch, say, "mod", "edit", "-module", "tool", *requires, *drops)
    # Minimal leaves what the tests need: approle, cert and jwt logins, kv, pki and transit, raft storage.
    flags = ("-tags", "minimal", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w")
    _go(go, scratch, say, "build", *flags, "-o", str(scratch / "vault"), _VAULT)


def _go(go: str, scratch: Path, say: Callable[[str], None], *arguments: str) -> str:
    """What Go wrote to stdout; OSError with the end of stderr when it fails."""
    errors = scratch / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [go, *arguments],
            cwd=scratch,
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            close_fds=False,
        )
        try:
            output = _output(process, f"`go {arguments[0]}` for Vault", say)
        finally:
            process.kill()  # does nothing when it has ended
            process.wait()
    if process.returncode != 0:
        reason = errors.read_text(encoding="utf-8", errors="replace").strip()[-500:] or output.strip()[-500:]
        raise OSError(f"`go {' '.join(arguments[:2])}` failed with exit code {process.returncode}: {reason}")
    return output


def _output(process: "subprocess.Popen[str]", what: str, say: Callable[[str], None]) -> str:
    started = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_PROGRESS_EVERY_S)[0]
        except subprocess.TimeoutExpired:
            passed = time.monotonic() - started
            if passed > _BUILD_TIMEOUT_S:
                raise
            say(f"test bed: {what} is at work, {passed:.0f} s so far")
