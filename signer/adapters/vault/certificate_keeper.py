"""Keeps the server's certificate and the clients' revocation list fresh. Signs nothing for anybody else.

The files that it writes are taken over by `ServerTls` at the next look, without dropping a call.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from signer.adapters.pki.certificate_pair import finish_interrupted, replace_pair
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.pki import CertificateWanted, issue, revocation_list
from signer.domain.errors import SignerError
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock
from signer.ports.events import EventLog

LOOK_EVERY_S = 15
"""Four looks a minute: a revocation counts within one, also after a look that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Where the pair lies, and the revocation list if clients' certificates come from Vault, too."""

    certificate: Path
    key: Path
    revocation_list: Path | None = None


class CertificateKeeper:
    """One server certificate from Vault's PKI."""

    def __init__(
        self,
        *,
        vault: VaultApi,
        wanted: CertificateWanted,
        files: CertificateFiles,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._vault, self._wanted, self._files = vault, wanted, files
        self._clock, self._log = clock, log

    async def begin(self) -> None:
        """Before the files are read: end what a crash interrupted, make what is missing.

        A certificate that is good still needs no Vault. Raises UnavailableError or ConfigurationError.
        """
        await asyncio.to_thread(finish_interrupted, self._files.certificate, self._files.key)
        if not self._files.certificate.exists():
            await self.renew()
        if self._files.revocation_list is not None and not self._files.revocation_list.exists():
            await self.fetch_revocations()

    async def run(self) -> None:
        """Look for ever. What cannot be done now is logged and tried again; the old files stay in use."""
        while True:
            for step in (self.renew_if_due, self.fetch_revocations):
                try:
                    await step()
                except SignerError as error:
                    self._log.event("certificate.not_renewed", step=step.__name__, problem=str(error))
                except Exception as bug:  # noqa: BLE001 - supervision boundary: revocations must go on counting
                    self._log.event("certificate.not_renewed", step=step.__name__, problem=repr(bug))
            await asyncio.sleep(LOOK_EVERY_S)

    async def renew_if_due(self) -> bool:
        """Renew when two thirds of the life are over, or there is no certificate; says whether it did."""
        if self._clock.now() < renewal_due(self._files.certificate):
            return False
        await self.renew()
        return True

    async def renew(self) -> None:
        """Get a new pair and put it in place."""
        issued = await issue(self._vault, self._wanted)
        await asyncio.to_thread(replace_pair, self._files.certificate, self._files.key, issued)
        certificate = x509.load_pem_x509_certificate(issued.certificate)
        self._log.event(
            "certificate.renewed",
            uri=self._wanted.uri,
            serial=f"{certificate.serial_number:x}",
            ends=certificate.not_valid_after_utc.isoformat(),
        )

    async def fetch_revocations(self) -> bool:
        """Take over a changed revocation list; says whether it did."""
        path = self._files.revocation_list
        if path is None:
            return False
        fresh = await revocation_list(self._vault, self._wanted.mount)
        if path.exists() and await asyncio.to_thread(path.read_bytes) == fresh:
            return False
        beside = path.with_name(f"{path.name}.next")
        await asyncio.to_thread(beside.write_bytes, fresh)
        beside.replace(path)
        self._log.event("certificate.revocations_changed")
        return True


def renewal_due(certificate: Path) -> UnixMs:
    """When two thirds of a certificate's life are over; 0 for one that is not there or cannot be read."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return UnixMs(0)
    begin = int(found.not_valid_before_utc.timestamp())
    end = int(found.not_valid_after_utc.timestamp())
    return UnixMs((begin + (end - begin) * 2 // 3) * MS_PER_S)
