"""What operators do is durable, recorded, and theirs alone."""

import pytest

from signer.domain.decisions import Denied
from signer.domain.errors import ConfigurationError, PreconditionError
from signer.domain.records import TransactionRecord
from signer.domain.time import UnixMs
from signer.ports.audit import AuditReport
from signer.service.clients import NotGrantedError
from signer.service.verify_audit import VerifyAudit
from tests.fakes.signer_world import ACCOUNT, ADMIN, TRADER, sign_request, signer_world


async def test_a_reload_judges_the_next_request_by_the_new_policy() -> None:
    async with signer_world() as world:
        world.source.text = world.source.text.replace("max_per_trade = 1_000_000", "max_per_trade = 999_999")

        before, after = await world.services.reload_policy(ADMIN, dry_run=False)
        answer = await world.services.sign_evm_transaction(TRADER, sign_request("key-0000000000000001"))

        assert before.hash != after.hash
        assert isinstance(answer, Denied)


async def test_a_dry_run_changes_nothing() -> None:
    async with signer_world() as world:
        world.source.text = world.source.text.replace("max_per_trade = 1_000_000", "max_per_trade = 999_999")

        await world.services.reload_policy(ADMIN, dry_run=True)
        answer = await world.services.sign_evm_transaction(TRADER, sign_request("key-0000000000000001"))

        assert isinstance(answer, TransactionRecord)
        assert [record.method for record in world.audit.records] == ["SignEvmTransaction"]


async def test_a_refused_reload_keeps_the_old_policy_and_leaves_a_record() -> None:
    async with signer_world() as world:
        world.source.text = "max_slippage_bps = 10000"

        with pytest.raises(ConfigurationError):
            await world.services.reload_policy(ADMIN, dry_run=False)

        answer = await world.services.sign_evm_transaction(TRADER, sign_request("key-0000000000000001"))
        assert isinstance(answer, TransactionRecord)
        assert world.audit.records[0].details[0].startswith("refused: ")


async def test_nonces_are_reported_without_being_changed() -> None:
    async with signer_world() as world:
        await world.services.accounts.ensure_open(ACCOUNT)
        world.chain.latest_count = 3

        report = await world.services.reconcile_nonces(ADMIN, ACCOUNT, apply=False)

        assert not report.applied
        assert report.ledger_next_nonce == 0
        assert "another holder of the key" in report.findings[0]


async def test_nonces_of_an_account_that_signs_are_not_changed() -> None:
    async with signer_world() as world:
        await world.services.accounts.ensure_open(ACCOUNT)
        world.chain.latest_count = 3

        with pytest.raises(PreconditionError, match="pause it"):
            await world.services.reconcile_nonces(ADMIN, ACCOUNT, apply=True)


async def test_a_trader_is_no_operator() -> None:
    async def whole() -> AuditReport:
        return AuditReport(records=0, head_hash="", problem="")

    async with signer_world() as world:
        for act in (
            world.services.pause(TRADER, ACCOUNT, ""),
            world.services.resume(TRADER, ACCOUNT),
            world.services.reload_policy(TRADER, dry_run=True),
            world.services.reconcile_nonces(TRADER, ACCOUNT, apply=False),
            VerifyAudit(verify=whole)(TRADER),
        ):
            with pytest.raises(NotGrantedError):
                await act


async def test_every_operators_act_is_in_the_trail() -> None:
    async with signer_world() as world:
        await world.services.pause(ADMIN, None, "drill")
        await world.services.resume(ADMIN, None)
        await world.services.reload_policy(ADMIN, dry_run=False)

        acts = [(record.method, record.at) for record in world.audit.records]
        assert acts == [(name, UnixMs(world.clock.now())) for name in ("Pause", "Resume", "ReloadPolicy")]
