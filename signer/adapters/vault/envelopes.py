"""Where envelopes are kept: KV version 2, or a folder. Overwrites only the envelope that it was told.

A store also keeps, for each account in rotation, which account succeeds it.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from signer.adapters.vault.answers import integer, mapping, text
from signer.adapters.vault.api import VaultApi, VaultRefusedError
from signer.adapters.vault.envelope import Envelope, account_of_slug, parse_envelope, slug
from signer.domain.accounts import AccountId, parse_account_id
from signer.domain.errors import BrokenError, ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason

_FILE = "file:"
_MAX_BYTES = 16 * 1024
_CAS_REFUSED = "check-and-set"


class EnvelopeStore(Protocol):
    """Envelopes by account. Raises what VaultApi raises, and BrokenError for what is no envelope of ours."""

    async def read(self, account: AccountId) -> Envelope | None:
        """Return the envelope of an account, or None."""
        ...

    async def accounts(self) -> tuple[AccountId, ...]:
        """Every account that has an envelope."""
        ...

    async def create(self, envelope: Envelope) -> bool:
        """Store a new one; False when there is one of that account already, which stays."""
        ...

    async def replace(self, old: Envelope, new: Envelope) -> bool:
        """Store `new` in the place of `old`; False when something else is there by now, which stays."""
        ...

    async def successor(self, account: AccountId) -> AccountId | None:
        """Which account takes over from this one in a rotation, if one was chosen."""
        ...

    async def choose_successor(self, account: AccountId, successor: AccountId) -> AccountId:
        """Choose it once and for all; returns the one that is chosen, maybe by somebody who came first."""
        ...


def open_store(place: str, api: VaultApi, *, kv_mount: str) -> EnvelopeStore:
    """Return the store that the settings name: `kv`, or `file:FOLDER`. Raises ConfigurationError."""
    if place == "kv":
        return KvEnvelopes(api, kv_mount)
    if place.startswith(_FILE):
        return FileEnvelopes(Path(place.removeprefix(_FILE)))
    raise ConfigurationError(f'envelopes is {place!r}; allowed are "kv" and "file:FOLDER"')


class KvEnvelopes:
    """In a KV version 2 mount: `accounts/<slug>` and `successors/<slug>`, written by check-and-set."""

    def __init__(self, api: VaultApi, mount: str) -> None:
        self._api = api
        self._mount = mount

    async def read(self, account: AccountId) -> Envelope | None:
        """Return the envelope of an account, or None."""
        found = await self._read(f"accounts/{slug(account)}")
        return (
            None if found is None else _parsed(found[0], account, f"{self._mount}/accounts/{slug(account)}")
        )

    async def accounts(self) -> tuple[AccountId, ...]:
        """Every account that has an envelope."""
        names = await self._api.list(f"{self._mount}/metadata/accounts")
        return tuple(_account_named(name, self._mount) for name in names)

    async def create(self, envelope: Envelope) -> bool:
        """Store a new one; False when there is one of that account already."""
        return await self._write(f"accounts/{slug(envelope.account)}", envelope.fields(), cas=0)

    async def replace(self, old: Envelope, new: Envelope) -> bool:
        """Store `new` if `old` is there."""
        path = f"accounts/{slug(old.account)}"
        found = await self._read(path)
        if found is None or found[0] != old.fields():
            return False
        return await self._write(path, new.fields(), cas=found[1])

    async def successor(self, account: AccountId) -> AccountId | None:
        """Which account takes over."""
        found = await self._read(f"successors/{slug(account)}")
        return None if found is None else _successor_in(found[0], account)

    async def choose_successor(self, account: AccountId, successor: AccountId) -> AccountId:
        """Choose it once and for all."""
        if await self._write(f"successors/{slug(account)}", {"account": successor}, cas=0):
            return successor
        return await _chosen(self, account)

    async def _read(self, path: str) -> tuple[Mapping[str, object], int] | None:
        answer = await self._api.read(f"{self._mount}/data/{path}")
        if answer is None or answer.get("data") is None:
            return None
        version = integer(mapping(answer.get("metadata"), "metadata"), "version")
        return mapping(answer["data"], "data"), version

    async def _write(self, path: str, fields: Mapping[str, str], *, cas: int) -> bool:
        body = {"data": dict(fields), "options": {"cas": cas}}
        try:
            await self._api.write(f"{self._mount}/data/{path}", body)
        except VaultRefusedError as error:
            if _CAS_REFUSED in "".join(error.texts):
                return False
            raise
        return True


class FileEnvelopes:
    """In a folder of mode 0700: `accounts/<slug>.json`, `successors/<slug>.json`; 0600, written whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, account: AccountId) -> Envelope | None:
        """Return the envelope of an account, or None."""
        path = self._path("accounts", account)
        fields = await asyncio.to_thread(_read_json, path)
        return None if fields is None else _parsed(fields, account, str(path))

    async def accounts(self) -> tuple[AccountId, ...]:
        """Every account that has an envelope."""
        names = await asyncio.to_thread(lambda: sorted((self._folder / "accounts").glob("*.json")))
        return tuple(_account_named(path.stem, str(self._folder)) for path in names)

    async def create(self, envelope: Envelope) -> bool:
        """Store a new one; False when there is one of that account already."""
        path = self._path("accounts", envelope.account)
        return await asyncio.to_thread(_create_json, path, envelope.fields())

    async def replace(self, old: Envelope, new: Envelope) -> bool:
        """Store `new` if `old` is there. One process writes: whoever rotates the wrapping key."""
        path = self._path("accounts", old.account)
        if await asyncio.to_thread(_read_json, path) != old.fields():
            return False
        await asyncio.to_thread(_replace_json, path, new.fields())
        return True

    async def successor(self, account: AccountId) -> AccountId | None:
        """Which account takes over."""
        fields = await asyncio.to_thread(_read_json, self._path("successors", account))
        return None if fields is None else _successor_in(fields, account)

    async def choose_successor(self, account: AccountId, successor: AccountId) -> AccountId:
        """Choose it once and for all."""
        path = self._path("successors", account)
        if await asyncio.to_thread(_create_json, path, {"account": successor}):
            return successor
        return await _chosen(self, account)

    def _path(self, kind: str, account: AccountId) -> Path:
        return self._folder / kind / f"{slug(account)}.json"


async def _chosen(store: EnvelopeStore, account: AccountId) -> AccountId:
    chosen = await store.successor(account)
    if chosen is None:
        raise BrokenError(FailReason.BROKEN, f"the successor of {account} was there and is gone")
    return chosen


def _parsed(fields: Mapping[str, object], account: AccountId, place: str) -> Envelope:
    try:
        envelope = parse_envelope(fields)
    except ValueError as error:
        raise BrokenError(FailReason.BROKEN, f"{place} holds no envelope: {error}") from None
    if envelope.account != account:
        raise BrokenError(
            FailReason.BROKEN,
            f"{place} holds the envelope of {envelope.account}; allowed is that of {account}",
        )
    return envelope


def _successor_in(fields: Mapping[str, object], account: AccountId) -> AccountId:
    try:
        return parse_account_id(text(fields, "account"))
    except ValueError as error:
        raise BrokenError(FailReason.BROKEN, f"the successor of {account} cannot be read: {error}") from None


def _account_named(name: str, place: str) -> AccountId:
    try:
        return account_of_slug(name)
    except ValueError as error:
        raise BrokenError(FailReason.BROKEN, f"{place}: {error}") from None


def _read_json(path: Path) -> Mapping[str, object] | None:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(
            FailReason.KEY_BACKEND_UNREACHABLE, f"{path} cannot be read: {error.strerror}"
        ) from error
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BrokenError(FailReason.BROKEN, f"{path} is no JSON object; allowed is what this store writes")
    return fields


def _create_json(path: Path, fields: Mapping[str, str]) -> bool:
    """Durable and whole, or not at all: written beside its place, then linked to a name that is free."""
    with _written_beside(path, fields) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        _flush_folder(path.parent)
    return True


def _replace_json(path: Path, fields: Mapping[str, str]) -> None:
    with _written_beside(path, fields) as beside:
        beside.replace(path)
        _flush_folder(path.parent)


@contextmanager
def _written_beside(path: Path, fields: Mapping[str, str]) -> Iterator[Path]:
    """A durable file in the same folder, gone afterwards unless it was moved. Raises UnavailableError."""
    beside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".new")  # mode 0600
        beside = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(dict(fields)).encode())
            file.flush()
            os.fsync(file.fileno())
        yield beside
    except OSError as error:
        raise UnavailableError(
            FailReason.KEY_BACKEND_UNREACHABLE, f"{path} cannot be written: {error.strerror}"
        ) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
