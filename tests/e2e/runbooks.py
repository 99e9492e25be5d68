"""Follows a runbook: every command of its `sh runbook` blocks, in one shell, in order, until one fails."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import vault_binary
from tests.testbed.processes import ROOT
from tests.testbed.vault_files import FOLDER

_BLOCK = re.compile(r"^```sh runbook\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```(sh[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMEOUT_S = 100
_PROLOGUE = """
set -Eeuo pipefail
trap 'printf "failed with %s: %s\\n" "$?" "$BASH_COMMAND" >&2' ERR
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How a runbook ended; `output` is stdout and stderr together."""

    code: int
    output: str


class Desk:
    """A person's workstation: a home, a working folder, `vault` and `airlock-signer` on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._home, self._bin = folder / "work", folder / "home", folder / "bin"
        for each in (self.folder, self._home, self._bin):
            each.mkdir()
        binary = vault_binary.find()
        assert binary is not None
        (self._bin / "vault").symlink_to(binary)
        (self._bin / "airlock-signer").symlink_to(ROOT / ".venv" / "bin" / "airlock-signer")

    async def follow(self, name: str, variables: Mapping[str, str]) -> Followed:
        """Run `vault/runbooks/NAME.md` from top to bottom."""
        script = "\n".join(blocks(FOLDER / "runbooks" / f"{name}.md"))
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("VAULT_", "BAO_"))}
        env = {**clean, **variables, "HOME": str(self._home), "PATH": f"{self._bin}:{os.environ['PATH']}"}
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            _PROLOGUE + script,
            cwd=self.folder,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            output, _ = await process.communicate()
        assert process.returncode is not None
        return Followed(code=process.returncode, output=output.decode(errors="replace"))

    @property
    def token_file(self) -> Path:
        """Where `vault login` puts its token."""
        return self._home / ".vault-token"


def blocks(path: Path) -> list[str]:
    """The marked blocks of a page."""
    return _BLOCK.findall(path.read_text(encoding="utf-8"))


def unmarked_commands(path: Path) -> list[str]:
    """Shell blocks that no test follows."""
    text = path.read_text(encoding="utf-8")
    return [body for info, body in _FENCE.findall(text) if info.split() != ["sh", "runbook"]]
