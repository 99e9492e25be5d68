"""Rotates the key that wraps EVM keys: a new version, every envelope moved to it, the old versions shut out.

It decrypts nothing: Vault moves each envelope from version to version inside (`rewrap`). It keeps no state of
its own. How far it got is read from Vault, so that a run that was cut off at any point is simply run again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from signer.adapters.vault.envelope import Envelope
from signer.adapters.vault.envelopes import EnvelopeStore
from signer.adapters.vault.key_age import created_at
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.transit import AES, KeyFacts, Transit, ciphertext_version
from signer.domain.accounts import AccountId
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.clock import Clock
from signer.ports.events import EventLog

_BATCH = 64
_ROUNDS = 8
"""How often others may store old envelopes in between before we say that something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappingKeyState:
    """`newest` version, versions below `oldest_allowed` are shut out; `behind` accounts are on older ones.

    `foreign` accounts have an envelope of another wrapping key, which is left alone.
    """

    newest: int
    newest_since: UnixMs
    oldest_allowed: int
    envelopes: int
    behind: tuple[AccountId, ...]
    foreign: tuple[AccountId, ...]

    @property
    def half_done(self) -> bool:
        """Whether a rotation was begun and not finished."""
        return bool(self.behind) or self.oldest_allowed < self.newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """`version` is in force, `moved` envelopes were rewrapped; `begun` says whether the version is new."""

    version: int
    moved: int
    begun: bool


class WrappingKeyRotation:
    """One wrapping key and the store of its envelopes."""

    def __init__(
        self, *, transit: Transit, store: EnvelopeStore, key: str, clock: Clock, log: EventLog
    ) -> None:
        self._transit = transit
        self._store = store
        self._key = key
        self._clock = clock
        self._log = log

    async def state(self) -> WrappingKeyState:
        """What Vault and the store say now. Changes nothing."""
        facts = await self._facts()
        ours, foreign = await self._envelopes()
        return WrappingKeyState(
            newest=facts.latest_version,
            newest_since=created_at(facts, facts.latest_version),
            oldest_allowed=facts.min_decryption_version,
            envelopes=len(ours),
            behind=tuple(each.account for each in ours if each.key_version < facts.latest_version),
            foreign=tuple(each.account for each in foreign),
        )

    async def run(self, *, min_age_s: int) -> Rotated | None:
        """Finish a rotation that is half done, or do a whole one; None when the newest is younger than that.

        Raises ConfigurationError where there is no envelope at all, and BrokenError naming every envelope
        that cannot be moved: then the old versions stay allowed.
        """
        state = await self.state()
        if state.envelopes == 0:
            # Shutting old versions out of envelopes that we do not see would take their keys from the signer.
            raise ConfigurationError(
                f"there is no envelope of {self._key} where [vault] envelopes says; a rotation needs the "
                "signer's own"
            )
        begun = not state.half_done
        if begun:
            if self._clock.now() - state.newest_since < min_age_s * MS_PER_S:
                return None
            await self._transit.rotate(self._key)
        version = (await self._facts()).latest_version
        self._log.event(
            "rotation.wrapping_key_begun" if begun else "rotation.wrapping_key_continued", to=version
        )
        moved = 0
        for _ in range(_ROUNDS):
            behind = await self._behind(version)
            if behind:
                await self._move_all(behind, version)
                moved += len(behind)
                continue
            if (await self._facts()).min_decryption_version < version:
                await self._check(version)
                await self._allow_from(version)
                # Once more around: an account that was created meanwhile may have been wrapped by an old
                # version and stored after we looked.
                continue
            self._log.event("rotation.wrapping_key_finished", version=version, moved=moved)
            return Rotated(version=version, moved=moved, begun=begun)
        raise BrokenError(FailReason.BROKEN, f"somebody keeps storing old envelopes of {self._key}")

    async def _move_all(self, behind: Sequence[Envelope], version: int) -> None:
        allowed = (await self._facts()).min_decryption_version
        oldest = min(each.key_version for each in behind)
        if oldest < allowed:
            # Stored late, after the old versions were shut out: let in for as long as moving it takes.
            await self._allow_from(oldest)
        try:
            for start in range(0, len(behind), _BATCH):
                await self._move(behind[start : start + _BATCH], version)
        except BrokenError:
            if oldest < allowed:
                await self._allow_from(allowed)
            raise

    async def _allow_from(self, version: int) -> None:
        await self._transit.configure(self._key, min_decryption_version=version)

    async def _move(self, envelopes: Sequence[Envelope], version: int) -> None:
        results = await self._transit.rewrap_batch(self._key, [each.sealed() for each in envelopes])
        refused = []
        for old, result in zip(envelopes, results, strict=True):
            if isinstance(result, ItemRefused):
                refused.append(f"{old.account}: {result.text}")
            elif ciphertext_version(result) != version:
                refused.append(
                    f"{old.account}: Vault moved it to {result[:10]}… instead of version {version}"
                )
            else:
                new = Envelope(account=old.account, ciphertext=result, wrapping_key=old.wrapping_key)
                # False: somebody else was faster, another run of this command perhaps. The check sees it.
                await self._store.replace(old, new)
        _refuse(refused)

    async def _check(self, version: int) -> None:
        """Every stored envelope is of this version and opens for its account, as far as that shows in Vault.

        Rewrapping opens the ciphertext under its account inside Vault; the result is thrown away.
        """
        ours, _ = await self._envelopes()
        for start in range(0, len(ours), _BATCH):
            batch = [each for each in ours[start : start + _BATCH] if each.key_version == version]
            if not batch:
                continue
            results = await self._transit.rewrap_batch(self._key, [each.sealed() for each in batch])
            _refuse(
                [
                    f"{each.account}: {result.text}"
                    for each, result in zip(batch, results, strict=True)
                    if isinstance(result, ItemRefused)
                ]
            )

    async def _behind(self, version: int) -> list[Envelope]:
        ours, _ = await self._envelopes()
        return [each for each in ours if each.key_version < version]

    async def _envelopes(self) -> tuple[list[Envelope], list[Envelope]]:
        ours: list[Envelope] = []
        foreign: list[Envelope] = []
        for account in await self._store.accounts():
            envelope = await self._store.read(account)
            if envelope is not None:
                (ours if envelope.wrapping_key == self._key else foreign).append(envelope)
        return ours, foreign

    async def _facts(self) -> KeyFacts:
        facts = await self._transit.facts(self._key)
        if facts is None or facts.type != AES:
            found = "no such key" if facts is None else f"a key of type {facts.type}"
            raise ConfigurationError(
                f"{self._transit.mount} has {found} named {self._key}; {AES} is allowed; "
                "`airlock-signer vault bootstrap` makes it"
            )
        return facts


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise BrokenError(
            FailReason.BROKEN,
            "these envelopes cannot be moved, so the old versions stay allowed: " + "; ".join(problems),
        )
