"""Certificates as an attacker or a forgetful operator has them, laid out as `dev-pki` does."""

import time
from pathlib import Path

from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.pki.dev_pki import LOCAL_HOSTS, SIGNER_URI
from signer.domain.time import UnixMs
from tests.testbed.signer_program import ADMIN_SAN, TRADER_SAN

STRANGER_SAN = "spiffe://airlock.local/stranger"
IDLE_SAN = "spiffe://airlock.local/idle"


class Pki:
    """An authority in memory, so that a test can issue whatever it needs under it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = Authority(name="test CA", now=UnixMs(time.time_ns() // 1_000_000))

    def write(self) -> None:
        """What `dev-pki` writes, and beside it clients that are unknown, without a grant, or expired."""
        self.folder.mkdir(parents=True)
        client = self._authority.client
        self._put("ca", self._authority.own)
        self.renew_server()
        self._put("trader", client(TRADER_SAN))
        self._put("admin", client(ADMIN_SAN))
        self._put("stranger", client(STRANGER_SAN))
        self._put("idle", client(IDLE_SAN))
        self._put("expired", client(TRADER_SAN, days=-1))

    def renew_server(self) -> None:
        """A new certificate and key for the server, each put in place as a whole."""
        self._put("server", self._authority.server(uri=SIGNER_URI, hosts=LOCAL_HOSTS))

    def _put(self, name: str, issued: Issued) -> None:
        for suffix, content in (("key", issued.key), ("pem", issued.certificate)):
            fresh = self.folder / f"{name}.{suffix}.new"
            fresh.write_bytes(content)
            fresh.replace(self.folder / f"{name}.{suffix}")
