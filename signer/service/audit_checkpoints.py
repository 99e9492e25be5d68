"""Has the head of the audit trail signed now and then, beside the path of signatures and never in its way.

While the key is out of reach, checkpoints are late and signing goes on. Nothing is lost by that: a checkpoint
speaks for every record up to its own, so the next one covers what came in the meantime.
"""

import asyncio
from dataclasses import dataclass

from signer.domain.checkpoints import NONE_BEFORE, Rhythm, Statement
from signer.domain.errors import SignerError
from signer.domain.time import MS_PER_S, UnixMs
from signer.ports.checkpoints import CheckpointBook, CheckpointKey, Trail
from signer.ports.clock import Clock
from signer.ports.events import EventLog

_LOOK_EVERY_MS = 250
_WAIT_AFTER_FAILURE_S = 5
_LAST_CHANCE_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """`last_seq` and `last_at` are the newest checkpoint's (-1, None before it); `uncovered` records follow.

    `failing_since` and `problem` are set while the key or the file is out of reach.
    """

    last_seq: int
    last_at: UnixMs | None
    uncovered: int
    failing_since: UnixMs | None
    problem: str


class AuditCheckpoints:
    """Looks at the trail's head a few times a second and has it signed when that is due."""

    def __init__(
        self,
        *,
        trail: Trail,
        key: CheckpointKey,
        book: CheckpointBook,
        rhythm: Rhythm,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._trail = trail
        self._key = key
        self._book = book
        self._rhythm = rhythm
        self._clock = clock
        self._log = log
        self._made_at: UnixMs | None = None
        self._failing_since: UnixMs | None = None
        self._problem = ""

    @property
    def state(self) -> CheckpointState:
        """How far the checkpoints are, for metrics and health."""
        last = self._book.last
        last_seq = NONE_BEFORE if last is None else last.statement.seq
        return CheckpointState(
            last_seq=last_seq,
            last_at=None if last is None else last.statement.at,
            uncovered=self._trail.head.seq - last_seq,
            failing_since=self._failing_since,
            problem=self._problem,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            good = not self.due() or await self.make()
            await asyncio.sleep(_LOOK_EVERY_MS / MS_PER_S if good else _WAIT_AFTER_FAILURE_S)

    async def finish(self) -> None:
        """Cover what is left before the signer ends; gives up soon, since nothing depends on it."""
        # `run` may have been cancelled while a checkpoint was on its way to the file.
        await self._book.settled()
        if self.state.uncovered == 0:
            return
        try:
            async with asyncio.timeout(_LAST_CHANCE_S):
                await self.make()
        except TimeoutError:
            self._log.event("checkpoint.not_made_at_the_end", uncovered=self.state.uncovered)

    def due(self) -> bool:
        """Whether the head should be signed now."""
        state = self.state
        if state.uncovered == 0:
            return False
        if state.last_at is None or state.uncovered >= self._rhythm.every_records:
            return True
        since = state.last_at if self._made_at is None else self._made_at
        # Before `since` is where a clock stands that was set back; nobody knows how long that was ago.
        return not 0 <= self._clock.now() - since < self._rhythm.every_s * MS_PER_S

    async def make(self) -> bool:
        """Sign the head as it is now and keep it; False, with an event, when that cannot be done."""
        head, last = self._trail.head, self._book.last
        now = self._clock.now()
        statement = Statement(
            seq=head.seq,
            hash=head.hash,
            after=NONE_BEFORE if last is None else last.statement.seq,
            # A clock that was set back does not make this one older: that is what a forged one looks like.
            at=now if last is None else max(now, last.statement.at),
            key=self._key.name,
        )
        try:
            checkpoint = await self._key.sign(statement)
            await self._book.append(checkpoint)
        except SignerError as error:
            self._failed(error)
            return False
        self._made_at = now
        if self._failing_since is not None:
            late_s = (self._clock.now() - self._failing_since) // MS_PER_S
            self._failing_since, self._problem = None, ""
            self._log.event("checkpoint.caught_up", seq=statement.seq, late_s=late_s)
        # Everything that is needed to check it: whoever keeps the log elsewhere keeps the checkpoints too.
        self._log.event(
            "checkpoint.made",
            after=statement.after,
            seq=statement.seq,
            hash=statement.hash,
            at=statement.at,
            key=statement.key,
            key_version=checkpoint.key_version,
            signature=checkpoint.signature.hex(),
        )
        return True

    def _failed(self, error: SignerError) -> None:
        if str(error) != self._problem:
            self._log.event("checkpoint.delayed", uncovered=self.state.uncovered, problem=str(error))
        if self._failing_since is None:
            self._failing_since = self._clock.now()
        self._problem = str(error)
