"""When a certificate begins and ends (RFC 5280, section 4.1.2.5). Reads those two fields and judges nothing.

The trader has no certificate library of its own, and gRPC does not say.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from trader.domain.errors import ConfigurationError

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_LONG_FORM = 0x80
_FIELDS_BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer
_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}
_END = "-----END CERTIFICATE-----"


def expires_at_s(path: Path) -> int:
    """End of the first certificate in a PEM file, unix seconds. Raises ConfigurationError naming the file."""
    return validity_s(path)[1]


def validity_s(path: Path) -> tuple[int, int]:
    """Begin and end of the first certificate in a PEM file, unix seconds. Raises ConfigurationError."""
    try:
        first = path.read_text(encoding="ascii").partition(_END)[0] + _END
        return _validity(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE-----") :]))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; a readable PEM file is allowed") from None
    except (ValueError, IndexError, KeyError):
        raise ConfigurationError(f"{path}: not a PEM certificate") from None


def _validity(der: bytes) -> tuple[int, int]:
    certificate, _ = _enter(der, 0, _SEQUENCE)
    position, _ = _enter(der, certificate, _SEQUENCE)
    if der[position] == _VERSION:
        position = _after(der, position)
    for _ in range(_FIELDS_BEFORE_VALIDITY):
        position = _after(der, position)
    not_before, _ = _enter(der, position, _SEQUENCE)
    return _time(der, not_before), _time(der, _after(der, not_before))


def _time(der: bytes, position: int) -> int:
    start, end = _content(der, position)
    text = der[start:end].decode("ascii")
    return int(datetime.strptime(text, _FORMATS[der[position]]).replace(tzinfo=UTC).timestamp())


def _enter(der: bytes, position: int, tag: int) -> tuple[int, int]:
    if der[position] != tag:
        raise ValueError(f"tag {der[position]:#x} where {tag:#x} belongs")
    return _content(der, position)


def _after(der: bytes, position: int) -> int:
    return _content(der, position)[1]


def _content(der: bytes, position: int) -> tuple[int, int]:
    """Where the content of the element begins and ends (X.690, 8.1.3)."""
    length = der[position + 1]
    start = position + 2
    if length & _LONG_FORM:
        size = length & ~_LONG_FORM
        length, start = int.from_bytes(der[start : start + size]), start + size
    return start, start + length
