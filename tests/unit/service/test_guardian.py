"""Under a guardian nothing comes into force that it did not sign, and nothing older. A refusal says why."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

import pytest
from eth_account.messages import _hash_eip191_message, encode_defunct
from typing_extensions import override

from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.sqlite import SqliteLedger
from signer.decode.evm.personal_message import personal_message_digest
from signer.domain.accounts import ChainName
from signer.domain.errors import BrokenError, ConfigurationError, UnavailableError
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import GuardedPolicy, PolicySignature
from signer.domain.reasons import FailReason
from signer.policy.load import load
from signer.ports.audit import AuditRecord
from signer.service.guard_policy import GuardPolicy
from signer.service.policies import Policies
from signer.service.policy_signature import statement_of
from signer.service.reload_policy import ReloadPolicy
from tests.fakes import policies
from tests.fakes.clock import FakeClock
from tests.fakes.guardians import GUARDIAN, STRANGER, STRANGER_INDEX, FakeSignatures, signed, with_serial
from tests.fakes.signer_world import ADMIN, ListLog, TextPolicy

CLOCK = FakeClock()
WIDER = policies.POLICY.replace("max_per_day = 10_000_000", "max_per_day = 10_000_001")


@dataclass
class Host:
    """A signer's host: its files, its ledger, and what was written down. Each `start` is a new process."""

    ledger: SqliteLedger
    source: TextPolicy
    signatures: FakeSignatures
    audit: MemoryAudit
    log: ListLog

    async def start(
        self, guardian: GuardianName | None = GUARDIAN, *, accept_other: bool = False
    ) -> Policies:
        guard_policy = GuardPolicy(
            guardian=guardian,
            signatures=self.signatures,
            memory=self.ledger,
            audit=self.audit,
            clock=CLOCK,
            log=self.log,
        )
        policies_ = await Policies.open(self.source)
        await guard_policy(policies_, accept_other=accept_other)
        return policies_

    async def lay(self, text: str, *, signature_of: str | None = None, index: int | None = None) -> None:
        """Put a policy there, and a signature over it or over another one."""
        over = text if signature_of is None else signature_of
        self.source.text = text
        self.signatures.signature = await (signed(over) if index is None else signed(over, index))

    def reload(self, running: Policies) -> ReloadPolicy:
        return ReloadPolicy(policies=running, audit=self.audit, clock=CLOCK, log=self.log)


@asynccontextmanager
async def _host(text: str = with_serial(5)) -> AsyncIterator[Host]:
    async with SqliteLedger.in_memory(CLOCK) as ledger:
        host = Host(ledger, TextPolicy(text), FakeSignatures(), MemoryAudit(CLOCK), ListLog())
        await host.lay(text)
        yield host


async def _unsigned(host: Host) -> None:
    host.source.text, host.signatures.signature = with_serial(6, WIDER), None


async def _without_serial(host: Host) -> None:
    host.source.text = WIDER


async def _edited(host: Host) -> None:
    await host.lay(with_serial(6, WIDER), signature_of=with_serial(6))


async def _older(host: Host) -> None:
    await host.lay(with_serial(4, WIDER))


async def _same_serial(host: Host) -> None:
    await host.lay(with_serial(5, WIDER))


async def _by_a_stranger(host: Host) -> None:
    await host.lay(with_serial(6, WIDER), index=STRANGER_INDEX)


async def _in_the_guardians_name(host: Host) -> None:
    await _by_a_stranger(host)
    assert host.signatures.signature is not None
    host.signatures.signature = replace(host.signatures.signature, signer=GUARDIAN)


async def _for_other_chains(host: Host) -> None:
    host.signatures.signature = await _claiming(host, chains=(ChainName("eip155:1"),))


async def _for_another_serial(host: Host) -> None:
    host.signatures.signature = await _claiming(host, serial=9)


async def _claiming(host: Host, **changes: object) -> PolicySignature:
    """A signature of the policy that is there, whose file says something else about it."""
    whole = await signed(host.source.text)
    return replace(whole, statement=replace(whole.statement, **changes))  # type: ignore[arg-type]  # fields of it


class FullDisk(MemoryAudit):
    """A trail that cannot be written."""

    @override
    async def append(self, record: AuditRecord) -> None:
        raise UnavailableError(FailReason.AUDIT_UNAVAILABLE, f"no space left for {record.method}")


Attack: TypeAlias = Callable[[Host], Awaitable[None]]
REFUSED: list[tuple[Attack, str]] = [
    (_unsigned, "policy.toml.sig: is not there: the policy is not signed"),
    (_without_serial, "serial: is missing"),
    (_edited, "was edited after it was signed"),
    (_older, "is older: serial 4, and serial 5 was in force already"),
    (_same_serial, "is another policy with serial 5"),
    (_by_a_stranger, f"signed by {STRANGER}; only the guardian {GUARDIAN} is allowed"),
    (_in_the_guardians_name, f"is no signature of {GUARDIAN} over this policy"),
    (_for_other_chains, "signed for other chains: eip155:1; the policy is for eip155:31337"),
    (_for_another_serial, "signed for serial 9; the policy has serial 5"),
]


@pytest.mark.parametrize(("attack", "said"), REFUSED)
async def test_a_reload_that_is_refused_keeps_the_policy_and_is_written_down(
    attack: Attack, said: str
) -> None:
    async with _host() as host:
        running = await host.start()
        before = running.current
        await attack(host)

        with pytest.raises(ConfigurationError, match=said):
            await host.reload(running)(ADMIN, dry_run=False)

        assert running.current is before
        assert said in host.audit.records[-1].details[0]
        assert [name for name, fields in host.log.events if said in str(fields)] == ["policy.refused"]


@pytest.mark.parametrize(("attack", "said"), REFUSED)
async def test_a_start_that_is_refused_is_written_down(attack: Attack, said: str) -> None:
    async with _host() as host:
        await host.start()
        await attack(host)

        with pytest.raises(ConfigurationError, match=said):
            await host.start()

        assert host.audit.records[-1].method == "Start"
        assert said in host.audit.records[-1].details[0]
        assert await host.ledger.guarded_policy() == _guarded(with_serial(5))


async def test_a_signed_policy_with_a_higher_serial_comes_into_force_and_the_one_before_never_again() -> None:
    async with _host() as host:
        running = await host.start()
        await host.lay(with_serial(6, WIDER))

        _, after = await host.reload(running)(ADMIN, dry_run=False)

        assert running.current.hash == after.hash == load(with_serial(6, WIDER).encode()).hash
        await host.lay(with_serial(5))
        with pytest.raises(ConfigurationError, match="is older"):
            await host.start()


async def test_a_dry_run_judges_and_remembers_nothing() -> None:
    async with _host() as host:
        running = await host.start()
        await host.lay(with_serial(6))

        await host.reload(running)(ADMIN, dry_run=True)

        assert await host.ledger.guarded_policy() == _guarded(with_serial(5))


async def test_the_same_policy_starts_again_and_again() -> None:
    async with _host() as host:
        for _ in range(3):
            await host.start()

        assert await host.ledger.guarded_policy() == _guarded(with_serial(5))


async def test_of_two_reloads_that_overtake_each_other_the_higher_serial_stays() -> None:
    async with _host() as host:
        running = await host.start()
        await host.lay(with_serial(6))
        _, slow = await running.read_again()
        await host.lay(with_serial(7))
        await host.reload(running)(ADMIN, dry_run=False)

        with pytest.raises(ConfigurationError, match="is older: serial 6"):
            await running.put_in_force(slow)

        assert running.current.serial == 7


@pytest.mark.parametrize("other", [None, STRANGER])
async def test_a_guardian_who_quietly_went_away_stops_the_start(other: GuardianName | None) -> None:
    async with _host() as host:
        await host.start()
        await host.lay(with_serial(6, WIDER), index=STRANGER_INDEX)

        with pytest.raises(ConfigurationError, match="--accept-other-guardian") as caught:
            await host.start(other)

        assert GUARDIAN in str(caught.value)
        assert host.audit.records[-1].details[0].startswith("refused: guardian: ")


@pytest.mark.parametrize("other", [None, STRANGER])
async def test_an_operator_can_change_the_guardian_on_purpose_and_it_is_written_down(
    other: GuardianName | None,
) -> None:
    async with _host() as host:
        await host.start()
        await host.lay(with_serial(6, WIDER), index=STRANGER_INDEX)

        await host.start(other, accept_other=True)
        await host.start(other)

        assert host.audit.records[-1].details == (f"guardian from {GUARDIAN} to {other or 'none'}",)
        assert ("policy.guardian_changed", {"before": GUARDIAN, "after": other}) in host.log.events


async def test_a_change_that_cannot_be_recorded_is_not_remembered() -> None:
    async with _host() as host:
        await host.start()
        host.audit = FullDisk(CLOCK)

        with pytest.raises(UnavailableError):
            await host.start(None, accept_other=True)

        assert await host.ledger.guarded_policy() == _guarded(with_serial(5))


async def test_a_policy_that_was_changed_while_the_signer_stood_still_is_recorded_at_its_start() -> None:
    async with _host() as host:
        await host.start()
        before, after = host.source.text, with_serial(6, WIDER)
        await host.lay(after)

        for _ in range(2):
            await host.start()

        hashes = [load(text.encode()).hash for text in (before, after)]
        assert [record.details[0] for record in host.audit.records[1:]] == [
            f"from {hashes[0]} to {hashes[1]}, serial 6"
        ]
        assert await host.ledger.guarded_policy() == _guarded(after)


async def test_serials_go_on_counting_after_a_guardian_was_let_go() -> None:
    async with _host() as host:
        await host.start()
        await host.start(None, accept_other=True)
        await host.lay(with_serial(4), index=STRANGER_INDEX)

        with pytest.raises(ConfigurationError, match="is older"):
            await host.start(STRANGER)


async def test_without_a_guardian_nothing_needs_to_be_signed_or_remembered() -> None:
    async with _host() as host:
        host.signatures.signature = None
        running = await host.start(None)
        host.source.text = WIDER

        await host.reload(running)(ADMIN, dry_run=False)

        assert await host.ledger.guarded_policy() is None


async def test_the_file_itself_goes_back_to_no_older_policy() -> None:
    async with _host() as host:
        await host.start()
        forged = (
            "INSERT INTO guarded_policies (guardian, serial, policy_hash, since) VALUES ('', 4, 'x', 1)",
            "UPDATE guarded_policies SET serial = 1",
            "DELETE FROM guarded_policies",
        )

        for statement in forged:
            with pytest.raises(BrokenError):
                await _execute(host.ledger, statement)


def test_the_digest_is_that_of_other_software() -> None:
    text = statement_of(load(with_serial(5).encode()), "policy").text()

    assert personal_message_digest(text) == _hash_eip191_message(encode_defunct(text=text))


def test_a_policy_with_an_unusable_serial_is_refused() -> None:
    for serial in ("0", "-1", str(2**53), '"1"', "1.0"):
        with pytest.raises(ConfigurationError, match="serial"):
            load(f"serial = {serial}\n".encode())


async def _execute(ledger: SqliteLedger, statement: str) -> None:
    await ledger._do(lambda work: work.connection.execute(statement))


def _guarded(text: str) -> GuardedPolicy:
    policy = load(text.encode())
    assert policy.serial is not None
    return GuardedPolicy(guardian=GUARDIAN, serial=policy.serial, policy_hash=policy.hash)
