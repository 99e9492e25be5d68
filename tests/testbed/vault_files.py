"""The project's `vault/` folder as one test's server needs it: the audit file in the server's own folder."""

import shutil
from pathlib import Path

from tests.testbed.processes import ROOT
from tests.testbed.vault import VaultServer

FOLDER = ROOT / "vault"


def copied(vault: VaultServer, to: Path) -> Path:
    """A copy of `vault/` below `to`, with what is marked CHANGE changed for this server."""
    copy = to / "vault"
    shutil.copytree(FOLDER, copy)
    layout = copy / "airlock.toml"
    text = layout.read_text(encoding="utf-8")
    changed = text.replace("/var/log/vault/audit.log", str(vault.audit_log))
    assert changed != text
    layout.write_text(changed, encoding="utf-8")
    return copy
