"""Ages of the server's certificate, of the authorities of its clients and of their revocation list."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAges:
    """Implements `signer.ports.rotation_facts.FactSource`. PEM files."""

    server: Path
    client_authority: Path
    revocation_list: Path | None

    async def facts(self) -> Sequence[Fact]:
        """One for each certificate and list."""
        return await asyncio.to_thread(lambda: tuple(self._facts()))

    def _facts(self) -> Iterable[Fact]:
        # What follows the first certificate in the server's file belongs to its authority.
        yield from _read(Rotating.SERVER_CERTIFICATE, self.server, _certificates)[:1]
        yield from _read(Rotating.CLIENT_AUTHORITY, self.client_authority, _certificates)
        if self.revocation_list is not None:
            yield from _read(Rotating.REVOCATION_LIST, self.revocation_list, _lists)


_Lives = list[tuple[UnixMs, UnixMs | None]]


def _read(what: Rotating, path: Path, parse: Callable[[bytes], _Lives]) -> list[Fact]:
    try:
        lives = parse(path.read_bytes())
    except OSError as error:
        return [Fact(what=what, name=path.name, problem=f"cannot be read: {error.strerror}")]
    except ValueError:
        return [Fact(what=what, name=path.name, problem="is not PEM of that kind")]
    names = [path.name, *(f"{path.name}#{number}" for number in range(2, len(lives) + 1))]
    return [
        Fact(what=what, name=name, since=since, ends=ends)
        for name, (since, ends) in zip(names, lives, strict=True)
    ]


def _certificates(raw: bytes) -> _Lives:
    return [
        (_ms(each.not_valid_before_utc), _ms(each.not_valid_after_utc))
        for each in x509.load_pem_x509_certificates(raw)
    ]


def _lists(raw: bytes) -> _Lives:
    found = x509.load_pem_x509_crl(raw)
    ends = found.next_update_utc
    return [(_ms(found.last_update_utc), None if ends is None else _ms(ends))]


def _ms(moment: datetime) -> UnixMs:
    return UnixMs(int(moment.timestamp()) * MS_PER_S)
