"""The Ethereum application 1.22.0, as observed. Does not hash EIP-712 structs: their last step is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from signer.decode.evm.keccak import keccak256
from signer.mock.devices.ledger.apdu import HEADER_BYTES, OK, RefusalError, Reply, Review, split_path
from signer.mock.devices.ledger.rlp_scan import BadPayloadError, scan
from signer.mock.devices.ledger.screens import checksummed, transaction_screens
from signer.mock.devices.seed import HARDENED, Seed

_CLASS = 0xE0
_FIRST, _MORE = 0x00, 0x80
_ALLOWED_PREFIX = (44 + HARDENED, 60 + HARDENED)
_INVALID, _NOT_READY, _BAD_P1, _UNKNOWN, _BAD_PATH, _BAD_TYPE = 0x6A80, 0x6980, 0x6B00, 0x6D00, 0x6A15, 0x6501
_LENGTH_BYTES, _WORD_BYTES = 4, 32


@dataclass(slots=True, kw_only=True)
class _Upload:
    kind: int
    path: tuple[int, ...]
    length: int = 0
    data: bytearray = field(default_factory=bytearray)


class _Command(Protocol):
    def __call__(self, p1: int, p2: int, data: bytes) -> Reply: ...


class EthereumApp:
    """Commands in, answers out. `blind` is the setting "blind signing", off as in a new application."""

    name = "Ethereum"

    def __init__(self, seed: Seed, *, version: str = "1.22.0") -> None:
        self.version = version
        self.blind = False
        self._seed = seed
        self._upload: _Upload | None = None
        self._commands: Mapping[int, _Command] = {
            0x02: self._address,
            0x04: self._sign,
            0x06: self._config,
            0x08: self._personal_sign,
            0x0C: self._typed_data,
            0x1A: self._struct_definition,
            0x1C: self._struct_value,
            **dict.fromkeys((0x0A, 0x12, 0x14, 0x16), self._descriptor),
        }

    def handle(self, apdu: bytes) -> Reply:
        """Answer a command while nothing is on the screen."""
        if len(apdu) < HEADER_BYTES or apdu[4] != len(apdu) - HEADER_BYTES:
            raise RefusalError(0x6A87, apdu[:2])
        if apdu[0] != _CLASS:
            raise RefusalError(0x6E00)
        command = self._commands.get(apdu[1])
        if command is None:
            raise RefusalError(_UNKNOWN)
        return command(apdu[2], apdu[3], apdu[HEADER_BYTES:])

    def handle_during(self, apdu: bytes, review: Review) -> Reply | None:
        """Answer a command while `review` is on the screen; None: no answer. Marks what becomes of it."""
        ins = apdu[1] if len(apdu) > 1 and apdu[0] == _CLASS else None
        if ins == 0x08:  # noqa: PLR2004 - personal_sign: back to the home screen
            review.swallowed = True
            self._upload = None
            raise RefusalError(_NOT_READY)
        if ins == 0x06:  # noqa: PLR2004 - configuration: answered, the signature is never sent
            review.swallowed = True
            return self.handle(apdu)
        if ins != 0x0C:  # noqa: PLR2004 - EIP-712 replaces the screen; all else frees its memory
            review.doomed = True
        reply = self.handle(apdu)
        return None if isinstance(reply, Review) and review.doomed else reply

    def ends_screen(self, apdu: bytes) -> bool:
        """Whether this command takes a review from the screen at once."""
        return apdu[:2] == b"\xe0\x08"

    def _config(self, p1: int, p2: int, data: bytes) -> Reply:
        del p1, p2, data
        version = bytes(int(part) for part in self.version.split("."))
        return bytes((0x02 | self.blind,)) + version + OK

    def _address(self, p1: int, p2: int, data: bytes) -> Reply:
        if p1 > 1 or p2 > 1:
            raise RefusalError(_BAD_P1)
        self._upload = None
        path, _chain_id = self._path(data)
        public = self._seed.secp256k1(path).public_key.format(compressed=False)
        shown = checksummed(keccak256(public[1:])[-20:])
        answer = b"\x41" + public + b"\x28" + shown.encode()
        answer += keccak256(public) if p2 else b""  # stands for a chain code, which nobody needs here
        if not p1:
            return answer + OK
        return Review(title="Verify address", screens=(f"0x{shown}",), approved=lambda: answer)

    def _sign(self, p1: int, p2: int, data: bytes) -> Reply:
        if p1 not in {_FIRST, _MORE} or p2:
            raise RefusalError(_BAD_P1)
        if p1 == _FIRST:
            path, payload = self._path(data)
            self._upload = _Upload(kind=0x04, path=path)
        else:
            payload = data
        upload = self._open_upload(0x04)
        upload.data += payload
        try:
            scanned = scan(bytes(upload.data))
        except BadPayloadError as error:
            self._upload = None
            raise RefusalError(_BAD_TYPE if error.is_type else _INVALID) from None
        if scanned.has_calldata and not self.blind:
            self._upload = None
            raise RefusalError(_INVALID)
        if scanned.payload is None:
            return OK
        self._upload = None
        digest = keccak256(scanned.payload)
        public = self._seed.secp256k1(upload.path).public_key.format(compressed=False)
        return Review(
            title="Review transaction",
            screens=transaction_screens(scanned, scanned.payload, keccak256(public[1:])[-20:]),
            approved=lambda: self._signature(upload.path, digest, scanned.v),
        )

    def _personal_sign(self, p1: int, p2: int, data: bytes) -> Reply:
        if p1 not in {_FIRST, _MORE} or p2:
            raise RefusalError(_BAD_P1)
        if p1 == _FIRST:
            if self._upload is not None:
                self._upload = None
                raise RefusalError(_NOT_READY)
            path, rest = self._path(data)
            if len(rest) < _LENGTH_BYTES:
                raise RefusalError(_INVALID)
            length = int.from_bytes(rest[:_LENGTH_BYTES], "big")
            self._upload = _Upload(kind=0x08, path=path, length=length)
            data = rest[_LENGTH_BYTES:]
        upload = self._open_upload(0x08)
        upload.data += data
        if len(upload.data) > upload.length:
            self._upload = None
            raise RefusalError(_INVALID)
        if len(upload.data) < upload.length:
            return OK
        self._upload = None
        message = bytes(upload.data)
        digest = keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)
        printable = message.isascii() and message.decode("ascii").isprintable()
        shown = message.decode("ascii") if printable else message.hex()
        return Review(
            title="Sign message",
            screens=(shown,),
            approved=lambda: self._signature(upload.path, digest, lambda parity: 27 + parity),
        )

    def _typed_data(self, p1: int, p2: int, data: bytes) -> Reply:
        del p1
        path, rest = self._path(data)
        if not self.blind or p2 or len(rest) != 2 * _WORD_BYTES:
            raise RefusalError(_INVALID)
        digest = keccak256(b"\x19\x01" + rest)
        return Review(
            title="Sign typed message",
            screens=(f"Domain hash 0x{rest[:32].hex()}", f"Message hash 0x{rest[32:].hex()}"),
            approved=lambda: self._signature(path, digest, lambda parity: 27 + parity),
        )

    def _struct_definition(self, p1: int, p2: int, data: bytes) -> Reply:
        del p1, p2, data
        return OK

    def _struct_value(self, p1: int, p2: int, data: bytes) -> Reply:
        del p1, data
        if p2 and not self.blind:
            raise RefusalError(_INVALID)
        return OK

    def _descriptor(self, p1: int, p2: int, data: bytes) -> Reply:
        del p1, p2, data
        raise RefusalError(_INVALID)  # nobody here can make Ledger's own signature under it

    def _signature(self, path: tuple[int, ...], digest: bytes, v: "_V") -> bytes:
        signed = self._seed.secp256k1(path).sign_recoverable(digest, hasher=None)
        return bytes((v(signed[64]) & 0xFF,)) + signed[:64]

    def _open_upload(self, kind: int) -> _Upload:
        if self._upload is None or self._upload.kind != kind:
            self._upload = None
            raise RefusalError(_NOT_READY)
        return self._upload

    def _path(self, data: bytes) -> tuple[tuple[int, ...], bytes]:
        path, rest = split_path(data, bad=_INVALID)
        if path[:2] != _ALLOWED_PREFIX:
            raise RefusalError(_BAD_PATH)
        return path, rest


class _V(Protocol):
    def __call__(self, parity: int, /) -> int: ...
