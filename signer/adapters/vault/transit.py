"""Vault's Transit engine in types. Knows no account and no envelope; asks for no key's export.

Source: developer.hashicorp.com/vault/api-docs/secret/transit. Every method raises what VaultApi raises;
VaultRefusedError names Vault's own reason. In a batch, one item that is refused does not touch the others.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from signer.adapters.vault.answers import integer, items, mapping, raw, text
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.locked_text import encode_base64
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.secret_batch import Opened, opened
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

AES = "aes256-gcm96"
ED25519 = "ed25519"

Used = TypeVar("Used")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A ciphertext `vault:vN:…` and the context under which its key was derived (ADR 0042)."""

    ciphertext: str
    context: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """64 bytes, made with this version of the key."""

    raw: bytes
    key_version: int


Signed: TypeAlias = Signature | ItemRefused
Rewrapped: TypeAlias = str | ItemRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What Vault says of a key. `versions` are the usable ones; `public_keys` is empty for AES."""

    name: str
    type: str
    exportable: bool
    deletion_allowed: bool
    allow_plaintext_backup: bool
    derived: bool
    latest_version: int
    min_decryption_version: int
    min_encryption_version: int
    public_keys: Mapping[int, bytes] = field(default_factory=dict)
    created: Mapping[int, str] = field(default_factory=dict)

    def dangers(self) -> tuple[str, ...]:
        """Which of the three settings that let a key leave Vault or vanish are on."""
        flags = {
            "exportable": self.exportable,
            "deletion_allowed": self.deletion_allowed,
            "allow_plaintext_backup": self.allow_plaintext_backup,
        }
        return tuple(name for name, on in flags.items() if on)


class Transit:
    """The Transit engine that is mounted at `mount`."""

    def __init__(self, api: VaultApi, mount: str = "transit") -> None:
        self._api = api
        self._mount = mount

    @property
    def mount(self) -> str:
        """Where it is mounted, for messages."""
        return self._mount

    async def sign_batch(
        self, key: str, messages: Sequence[bytes], *, key_version: int
    ) -> tuple[Signed, ...]:
        """Sign each message whole with exactly this version of an ed25519 key."""
        batch = [{"input": _base64(message)} for message in messages]
        body = {"key_version": key_version, "batch_input": batch}
        answer = await self._api.write(f"{self._mount}/sign/{key}", body)
        return tuple(_signed(result) for result in _results(answer, len(messages)))

    async def decrypt_batch(
        self, key: str, sealed: Sequence[Sealed], use: Callable[[Sequence[Opened]], Used]
    ) -> Used:
        """Decrypt; `use` sees the plaintexts in locked memory that is overwritten then, in another thread."""
        body = {
            "batch_input": [_sealed_item(each) for each in sealed],
            # Without this, one bad item makes a 400 of the answer that holds the others' plaintexts.
            "partial_failure_response_code": 200,
        }
        path = f"{self._mount}/decrypt/{key}"
        return await self._api.write_secret(path, body, lambda answer: use(opened(answer, len(sealed))))

    async def encrypt(self, key: str, plaintext: memoryview, *, context: bytes) -> str:
        """Encrypt what lies in locked memory, where the request is built, too. At most 512 bytes."""
        head = f'{{"context":"{_base64(context)}","plaintext":"'.encode()
        tail = b'"}'
        with LockedBuffer(4_096) as body:
            body.view[: len(head)] = head
            end = len(head) + encode_base64(plaintext, body.view[len(head) :])
            body.view[end : end + len(tail)] = tail
            return await self._api.write_secret(
                f"{self._mount}/encrypt/{key}", body.view[: end + len(tail)], _ciphertext
            )

    async def rewrap_batch(self, key: str, sealed: Sequence[Sealed]) -> tuple[Rewrapped, ...]:
        """Encrypt anew with the latest version; the plaintexts do not leave Vault."""
        body = {"batch_input": [_sealed_item(each) for each in sealed]}
        answer = await self._api.write(f"{self._mount}/rewrap/{key}", body)
        return tuple(
            _refused(result) or text(result, "ciphertext") for result in _results(answer, len(sealed))
        )

    async def facts(self, key: str) -> KeyFacts | None:
        """What Vault says of a key; None when there is no such key."""
        answer = await self._api.read(f"{self._mount}/keys/{key}")
        return None if answer is None else _facts(key, answer)

    async def create(self, key: str, *, type_: str, derived: bool = False) -> None:
        """Make a key that never leaves Vault. Does nothing when there is one of that name.

        What is not named is off in Vault: exportable, allow_plaintext_backup, deletion_allowed.
        """
        body: dict[str, object] = {"type": type_} | ({"derived": True} if derived else {})
        await self._api.write(f"{self._mount}/keys/{key}", body)

    async def rotate(self, key: str) -> None:
        """Add a version; what was encrypted before stays readable."""
        await self._api.write(f"{self._mount}/keys/{key}/rotate", {})

    async def configure(
        self,
        key: str,
        *,
        min_decryption_version: int | None = None,
        min_encryption_version: int | None = None,
    ) -> None:
        """Raise the versions below which Vault refuses to work."""
        asked = {
            "min_decryption_version": min_decryption_version,
            "min_encryption_version": min_encryption_version,
        }
        body = {name: version for name, version in asked.items() if version is not None}
        await self._api.write(f"{self._mount}/keys/{key}/config", body)

    async def wrapping_key(self) -> str:
        """PEM of the RSA key under which keys are brought in."""
        answer = await self._api.read(f"{self._mount}/wrapping_key")
        return text(answer or {}, "public_key")

    async def import_key(self, key: str, *, type_: str, wrapped: bytes) -> None:
        """Bring in a key from outside: RSA-OAEP-SHA256 of an AES key, then AES-KWP of the key (BYOK)."""
        body = {"type": type_, "ciphertext": _base64(wrapped), "hash_function": "SHA256"}
        await self._api.write(f"{self._mount}/keys/{key}/import", body)


_SIGNATURE = re.compile(r"vault:v([1-9][0-9]*):([A-Za-z0-9+/=]+)")
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+")


def ciphertext_version(ciphertext: str) -> int:
    """Return the key version of a ciphertext. Raises ValueError for what Transit did not make."""
    match = _CIPHERTEXT.fullmatch(ciphertext)
    if match is None:
        raise ValueError("this is no ciphertext of Transit; vault:vN:… is allowed")
    return int(match[1])


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _sealed_item(sealed: Sealed) -> dict[str, str]:
    return {"ciphertext": sealed.ciphertext, "context": _base64(sealed.context)}


def _results(answer: Mapping[str, object], count: int) -> tuple[Mapping[str, object], ...]:
    return tuple(mapping(each, "batch_results") for each in items(answer, "batch_results", count))


def _refused(result: Mapping[str, object]) -> ItemRefused | None:
    error = result.get("error")
    return ItemRefused.saying(str(error)) if error else None


def _signed(result: Mapping[str, object]) -> Signed:
    refused = _refused(result)
    if refused is not None:
        return refused
    match = _SIGNATURE.fullmatch(text(result, "signature"))
    if match is None:
        return ItemRefused("the signature is not of the form vault:vN:…")
    try:
        return Signature(raw=base64.b64decode(match[2], validate=True), key_version=int(match[1]))
    except ValueError:
        return ItemRefused("the signature is no base64")


def _ciphertext(answer: memoryview) -> str:
    match = re.search(rb'"ciphertext"\s*:\s*"(vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/=]+)"', answer)
    if match is None:
        raise UnavailableError(FailReason.VAULT_FAULTY, "Vault answered transit/encrypt without a ciphertext")
    return bytes(answer[match.start(1) : match.end(1)]).decode()


def _facts(key: str, answer: Mapping[str, object]) -> KeyFacts:
    versions = mapping(answer.get("keys"), "keys")
    type_ = text(answer, "type")
    public_keys, created = {}, {}
    for name in versions:
        number, version = integer({"number of a version": name}, "number of a version"), versions[name]
        if isinstance(version, Mapping):
            if type_ == ED25519:  # of other types it is PEM, which nobody here reads
                public_keys[number] = raw(version, "public_key")
            created[number] = text(version, "creation_time")
        else:
            created[number] = str(version)
    return KeyFacts(
        name=key,
        type=type_,
        exportable=answer.get("exportable") is not False,
        deletion_allowed=answer.get("deletion_allowed") is not False,
        allow_plaintext_backup=answer.get("allow_plaintext_backup") is not False,
        derived=answer.get("derived") is True,
        latest_version=integer(answer, "latest_version"),
        min_decryption_version=integer(answer, "min_decryption_version"),
        min_encryption_version=integer(answer, "min_encryption_version"),
        public_keys=public_keys,
        created=created,
    )
