"""The Solana application 1.9.0, as observed. Clear-signs system transfers only; all else is blind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.domain.base58 import base58
from signer.mock.devices.ledger.apdu import HEADER_BYTES, OK, RefusalError, Reply, Review, split_path
from signer.mock.devices.ledger.solana_message import MalformedError, read_message, read_offchain
from signer.mock.devices.seed import HARDENED, Seed

_CLASS = 0xE0
_EXTENDS, _MORE_FOLLOWS = 0x01, 0x02
_MESSAGE, _OFFCHAIN = 0x06, 0x07
_PREFIX = (44 + HARDENED, 501 + HARDENED)
_BAD, _BLIND, _WRONG, _SIZE = 0x6A80, 0x6808, 0x6A81, 0x6A83


@dataclass(slots=True, kw_only=True)
class _Upload:
    kind: int
    data: bytearray = field(default_factory=bytearray)


class SolanaApp:
    """Commands in, answers out. `blind` is the setting "Allow blind signing", off as in a new application."""

    name = "Solana"

    def __init__(self, seed: Seed, *, version: str = "1.9.0") -> None:
        self.version = version
        self.blind = False
        self._seed = seed
        self._upload: _Upload | None = None
        self._commands: Mapping[int, Callable[[bytes], Reply]] = {
            0x04: self._config,
            0x05: self._public_key,
            _MESSAGE: self._sign,
            _OFFCHAIN: self._sign,
        }

    def handle(self, apdu: bytes) -> Reply:
        """Answer a command while nothing is on the screen."""
        if len(apdu) < HEADER_BYTES or apdu[4] != len(apdu) - HEADER_BYTES:
            raise RefusalError(_SIZE)
        if apdu[0] != _CLASS:
            raise RefusalError(_WRONG)
        if apdu[1] in {0x01, 0x02, 0x03}:  # of the first versions, which counted length in two bytes
            raise RefusalError(_SIZE)
        command = self._commands.get(apdu[1])
        if command is None:
            raise RefusalError(0x6D00)
        return command(apdu)

    def handle_during(self, apdu: bytes, review: Review) -> Reply | None:
        """While a review is on the screen no command is answered; the review's own answer still comes."""
        del apdu, review
        return None

    def ends_screen(self, apdu: bytes) -> bool:
        """No command takes a review from the screen."""
        del apdu
        return False

    def _config(self, apdu: bytes) -> Reply:
        del apdu
        version = bytes(int(part) for part in self.version.split("."))
        return bytes((self.blind, 0)) + version + OK

    def _public_key(self, apdu: bytes) -> Reply:
        key, rest = self._key(apdu[HEADER_BYTES:])
        if rest:
            raise RefusalError(_SIZE)
        public = key.public_key().public_bytes_raw()
        if not apdu[2]:
            return public + OK
        return Review(title="Verify address", screens=(base58(public),), approved=lambda: public)

    def _sign(self, apdu: bytes) -> Reply:
        kind, confirm, flags, data = apdu[1], apdu[2], apdu[3], apdu[HEADER_BYTES:]
        if not data:
            raise RefusalError(_SIZE)
        if not flags & _EXTENDS:
            self._upload = _Upload(kind=kind)
        if self._upload is None or self._upload.kind != kind:
            self._upload = None
            raise RefusalError(_BAD)
        upload = self._upload
        upload.data += data
        if flags & _MORE_FOLLOWS:
            return OK
        self._upload = None
        if upload.data[0] != 1:  # number of signers
            raise RefusalError(_BAD)
        key, message = self._key(bytes(upload.data[1:]))
        if not confirm:
            raise RefusalError(_BLIND)
        return self._review(kind, key, message)

    def _review(self, kind: int, key: Ed25519PrivateKey, message: bytes) -> Reply:
        public = key.public_key().public_bytes_raw()
        try:
            read = read_message(message) if kind == _MESSAGE else read_offchain(message)
        except MalformedError:
            raise RefusalError(_BAD if kind == _MESSAGE else _WRONG) from None
        if public not in read.signers:
            raise RefusalError(_WRONG)
        if not (read.clear or self.blind):
            raise RefusalError(_BLIND)
        shown = read.lines if read.clear else (f"Message Hash {base58(sha256(message).digest())}",)
        return Review(
            title="Review transaction" if kind == _MESSAGE else "Sign message",
            screens=(*shown, "Approve"),
            approved=lambda: key.sign(message),
        )

    def _key(self, data: bytes) -> tuple[Ed25519PrivateKey, bytes]:
        path, rest = split_path(data, bad=_SIZE)
        if path[:2] != _PREFIX:
            raise RefusalError(0x6A15)
        if any(step < HARDENED for step in path):
            raise RefusalError(0x6801)
        return self._seed.ed25519(path), rest
