"""What clients were told, added up and checked against the chain's rules and the ledger; changes nothing."""

import contextlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import rlp
from eth_account import Account

from tests.testbed.packages import Json
from tests.testbed.signer_program import SignerFiles

SIGNED = "SIGNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: bytes, or a reason. Times are of the monotonic clock, in seconds."""

    client: int
    key: str
    asked_at: float
    at: float
    reason: str
    nonce: int = -1
    transaction_hash: str = ""
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The answers of a while."""

    answers: Sequence[Answer]

    @property
    def signed(self) -> Sequence[Answer]:
        return [answer for answer in self.answers if answer.reason == SIGNED]

    @property
    def failures(self) -> Counter[str]:
        """Reasons other than a signature, and how often."""
        return Counter(answer.reason for answer in self.answers if answer.reason != SIGNED)

    @property
    def unsigned_keys(self) -> set[str]:
        """Keys that were asked for and have no signature."""
        return {answer.key for answer in self.answers} - {answer.key for answer in self.signed}

    def double(self) -> int:
        """Keys with more than one hash, and nonces with more than one."""
        of_key = _many((answer.key, answer.transaction_hash) for answer in self.signed)
        return of_key + _many((answer.nonce, answer.transaction_hash) for answer in self.signed)

    def foreign(self, address: str) -> int:
        """Answers whose bytes were not signed by `address`, or not for the nonce that was said."""
        return sum(
            Account.recover_transaction(answer.raw).lower() != address or _nonce(answer.raw) != answer.nonce
            for answer in self.signed
        )

    def recovery_ms(self, moment: float) -> int:
        """From a moment to the first signature after it."""
        return round((min(a.at for a in self.signed if a.at >= moment) - moment) * 1_000)

    def longest_gap_ms(self) -> int:
        """The longest time between two signatures, whoever got them."""
        times = sorted(answer.at for answer in self.signed)
        return round(max(later - earlier for earlier, later in pairwise(times)) * 1_000)

    def figures(self, files: SignerFiles) -> dict[str, Json]:
        """For the report."""
        return {
            "signed": len(self.signed),
            "reasons": dict(sorted(self.failures.items())),
            "double": self.double(),
            "wrong_address": self.foreign(files.address),
        }


def assert_ledger_agrees(files: SignerFiles, answers: Sequence[Answer]) -> None:
    """One hash for each nonce and key, nonces without a hole, and everything that was told is in it."""
    query = (
        "SELECT nonce, idempotency_key, hash FROM transactions WHERE raw IS NOT NULL AND account = ?"
        " ORDER BY nonce"
    )
    with contextlib.closing(sqlite3.connect(f"file:{files.ledger}?mode=ro", uri=True)) as ledger:
        rows = ledger.execute(query, (files.account,)).fetchall()
        reserved = ledger.execute("SELECT count(*) FROM transactions WHERE state = 'reserved'").fetchone()[0]
    told = {answer.key: answer.transaction_hash for answer in answers if answer.reason == SIGNED}
    booked: Mapping[str, str] = {key: tx_hash for _, key, tx_hash in rows}

    assert [nonce for nonce, _, _ in rows] == list(range(len(rows)))
    assert len(booked) == len({tx_hash for _, _, tx_hash in rows}) == len(rows)
    assert {key: booked.get(key) for key in told} == told
    assert reserved == 0


def slot_state(files: SignerFiles, key: str) -> str:
    """State of the newest slot that an idempotency key has; empty for none."""
    query = "SELECT state FROM transactions WHERE idempotency_key = ? ORDER BY seq DESC LIMIT 1"
    with contextlib.closing(sqlite3.connect(f"file:{files.ledger}?mode=ro", uri=True)) as ledger:
        row = ledger.execute(query, (key,)).fetchone()
    return "" if row is None else str(row[0])


def _many(pairs: Iterable[tuple[str | int, str]]) -> int:
    hashes: dict[str | int, set[str]] = defaultdict(set)
    for name, tx_hash in pairs:
        hashes[name].add(tx_hash)
    return sum(len(found) > 1 for found in hashes.values())


def _nonce(raw: bytes) -> int:
    _, nonce, *_ = rlp.decode(raw[1:])
    return int.from_bytes(nonce, "big")
