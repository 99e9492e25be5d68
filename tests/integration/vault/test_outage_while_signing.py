"""A signature that waits for Vault is judged again when it comes late; one that never comes costs no slot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.vault.connection import Target
from signer.adapters.vault.envelopes import FileEnvelopes
from signer.domain.decisions import Denied
from signer.domain.errors import UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from tests.fakes.signer_world import ACCOUNT, TRADER, SignerWorld, sign_request, signer_world
from tests.integration.vault.session_rig import Ground, until
from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.vault import VaultServer
from tests.testbed.vault_faults import DropAfter, Fault, Hang, Redirect, Stall, Status
from tests.testbed.vault_proxy import VaultProxy

KEY = "key-0000000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """The signer's use cases over a key in a real Vault, with a proxy between them."""

    world: SignerWorld
    proxy: VaultProxy

    async def sign(self, key: str = KEY) -> TransactionRecord | Denied:
        return await self.world.services.sign_evm_transaction(TRADER, sign_request(key))


@pytest_asyncio.fixture(name="signing")
async def _signing(airlock_vault: VaultServer, tmp_path: Path) -> AsyncIterator[Signing]:
    async with VaultProxy(airlock_vault) as proxy, _keys(airlock_vault, proxy, tmp_path) as signing:
        yield signing


@asynccontextmanager
async def _keys(vault: VaultServer, proxy: VaultProxy, folder: Path) -> AsyncIterator[Signing]:
    target = Target(address=proxy.url, ca=proxy.ca, timeout_ms=3_000)
    ground = Ground(vault=vault, folder=folder, target=target)
    await ground.may_do_everything()
    envelopes = folder / "envelopes"
    envelopes.mkdir(mode=0o700)
    async with ground.session(await ground.jwt()) as session:
        accounts = VaultAccounts(api=session, chain_id=31337, store=FileEnvelopes(envelopes))
        await accounts.lay()
        assert await accounts.wrap(1) == ACCOUNT
        async with signer_world(keys=accounts.backend(ACCOUNT)) as world:
            yield Signing(world=world, proxy=proxy)


async def test_a_signature_that_waited_for_vault_is_judged_again_and_destroyed(signing: Signing) -> None:
    signing.proxy.only, signing.proxy.fault = "/decrypt/", Stall(0.6)
    asked = asyncio.create_task(signing.sign())
    await until(lambda: signing.proxy.count("/decrypt/") == 1, "the request to Vault")
    signing.world.clock.advance_s(90)

    answer = await asked
    signing.proxy.fault = None
    next_one = await signing.sign("key-0000000000000002")

    assert isinstance(answer, Denied)
    assert DenyReason.QUOTE_TOO_OLD in {violation.reason for violation in answer.violations}
    assert isinstance(next_one, Denied)  # the same claim is old for everybody now
    status = await signing.world.ledger.account(ACCOUNT)
    assert status is not None
    assert status.next_nonce == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Status(503, "Vault is sealed"), FailReason.VAULT_SEALED),
        (Status(500), FailReason.VAULT_FAULTY),
        (Status(429), FailReason.VAULT_RATE_LIMITED),
        (Status(403, "permission denied"), FailReason.VAULT_FORBIDDEN),
        (Hang(), FailReason.VAULT_SLOW),
        (Redirect(to="https://127.0.0.1:9"), FailReason.VAULT_UNREACHABLE),
    ],
    ids=str,
)
async def test_an_outage_signs_nothing_and_its_slot_is_used_again(
    signing: Signing, fault: Fault, reason: FailReason
) -> None:
    signing.proxy.only, signing.proxy.fault = "/decrypt/", fault
    with pytest.raises(UnavailableError) as caught:
        await signing.sign()
    signing.proxy.fault = None

    record = await signing.sign()

    assert caught.value.reason is reason
    assert isinstance(record, TransactionRecord)
    assert record.nonce == 0


async def test_an_answer_that_got_lost_costs_no_nonce_either(signing: Signing) -> None:
    signing.proxy.only, signing.proxy.fault = "/decrypt/", DropAfter()
    with pytest.raises(UnavailableError):
        await signing.sign()
    signing.proxy.fault = None

    records = [await signing.sign(), await signing.sign("key-0000000000000002")]

    assert [record.nonce for record in records if isinstance(record, TransactionRecord)] == [0, 1]
