"""Renews the certificate that the trader shows to the signer, out of Vault's PKI, at two thirds of its life.

The key is made by Vault and comes with the answer: the trader has no cryptographic library of its own. The
signer's grants bound what this certificate may do, whoever has it.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from trader.adapters.signer_client.expiry import validity_s
from trader.adapters.signer_client.pair import check_pair
from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.time import MS_PER_S
from trader.ports.clock import Clock
from trader.settings import VaultCertificateSettings

log: FilteringBoundLogger = structlog.get_logger("trader")


class Writes(Protocol):
    """A Vault that can be written to."""

    async def write(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """POST; the `data` of the answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Where the certificate and its key lie."""

    certificate: Path
    key: Path


class ClientCertificate:
    """One certificate."""

    def __init__(
        self, vault: Writes, wanted: VaultCertificateSettings, files: PairFiles, clock: Clock
    ) -> None:
        self._vault, self._wanted, self._files, self._clock = vault, wanted, files, clock

    async def renew_if_due(self) -> bool:
        """Renew when two thirds of the life are over, or there is no certificate; says whether it did."""
        if self._clock.now() < self._due_ms():
            return False
        path = f"{self._wanted.mount}/issue/{self._wanted.role}"
        answer = await self._vault.write(
            path,
            {
                "common_name": self._wanted.common_name,
                "uri_sans": self._wanted.uri,
                "ttl": f"{self._wanted.ttl_s}s",
                "exclude_cn_from_sans": True,
            },
        )
        certificate, key = _chain(path, answer), _text(path, answer, "private_key")
        await asyncio.to_thread(_replace, self._files, certificate, key)
        log.info("certificate.renewed", ends_s=validity_s(self._files.certificate)[1])
        return True

    def _due_ms(self) -> int:
        try:
            check_pair(self._files.certificate, self._files.key)
            begin, end = validity_s(self._files.certificate)
        except ConfigurationError:
            return 0
        return (begin + (end - begin) * 2 // 3) * MS_PER_S


def _chain(path: str, answer: Mapping[str, object]) -> str:
    between = answer.get("ca_chain")
    parts = [_text(path, answer, "certificate"), *(between if isinstance(between, list) else [])]
    return "\n".join(str(part) for part in parts)


def _text(path: str, answer: Mapping[str, object], field: str) -> str:
    value = answer.get(field)
    if not isinstance(value, str) or "-----BEGIN " not in value:
        raise SecretsUnavailableError(f"Vault's {path} answers without a {field}")
    return value


def _replace(files: PairFiles, certificate: str, key: str) -> None:
    # Whoever reads between the two renames finds no pair and looks again; after a crash the next look renews.
    for path, text in ((files.key, key), (files.certificate, certificate)):
        beside = path.with_name(f"{path.name}.next")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{text.strip()}\n")
            file.flush()
            os.fsync(descriptor)
    for path in (files.key, files.certificate):
        path.with_name(f"{path.name}.next").replace(path)
