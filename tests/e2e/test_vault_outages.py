"""What clients see while Vault is away under load: a named reason, then the same keys signed, once.

The figures of each outage are printed at the end of the run, in a line that begins with VAULT_OUTAGES.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import admin_pb2
from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import asking, swap
from tests.e2e.load import Load, reason_of
from tests.e2e.tally import assert_ledger_agrees, slot_state
from tests.e2e.vault_scene import VaultScene
from tests.fakes import wire
from tests.testbed.figures import Figures
from tests.testbed.processes import Child, until
from tests.testbed.signer_program import SignerFiles
from tests.testbed.uniswap import USDX_UNIT
from tests.testbed.vault_desk import ROTATOR, secret_id_file
from tests.testbed.vault_ground import APPROLE, wrapped_secret_id

pytestmark = pytest.mark.usefixtures("vault_signer")

STALL_S = 5
# A key that waits for longer than the policy lets a quote live is judged again, and rightly denied.
TOO_OLD = "QUOTE_TOO_OLD"


async def test_a_sealed_vault_is_named_and_signing_goes_on_when_it_is_unsealed(
    vault_scene: VaultScene, figures: Figures
) -> None:
    async with _outage(vault_scene, "sealed", figures, {"VAULT_SEALED", "VAULT_STANDBY"}) as load:
        await vault_scene.desk.vault.seal()
        await load.tells_everybody("VAULT_SEALED")
        await vault_scene.desk.vault.unseal()


async def test_a_vault_that_is_restarted_is_found_again(vault_scene: VaultScene, figures: Figures) -> None:
    expected = {"VAULT_UNREACHABLE", "VAULT_SEALED", "VAULT_STANDBY", "VAULT_FAULTY", "VAULT_SLOW"}
    async with _outage(vault_scene, "restarted", figures, expected) as load:
        vault = vault_scene.desk.vault
        vault.kill()
        await load.tells_everybody("VAULT_UNREACHABLE")
        await vault.start_again()


async def test_with_its_token_revoked_the_signer_waits_for_a_new_secret_id_and_takes_it(
    vault_scene: VaultScene, figures: Figures
) -> None:
    desk, files = vault_scene.desk, vault_scene.signer
    async with _outage(vault_scene, "token_revoked", figures, {"VAULT_LOGGED_OUT"}) as load:
        await desk.revoke_signer_tokens()
        await load.tells_everybody("VAULT_LOGGED_OUT")
        await desk.as_role(ROTATOR, "rotate", "credentials", "--to", str(secret_id_file(files)))

    assert len(await desk.signer_tokens()) == 1


async def test_a_used_up_secret_id_disturbs_nobody_until_the_token_ends(
    vault_scene: VaultScene, vault_signer: Child, figures: Figures
) -> None:
    desk, files = vault_scene.desk, vault_scene.signer
    before = vault_signer.log().count("vault.login_failed")
    async with _outage(vault_scene, "secret_id_used_up", figures, {"VAULT_LOGGED_OUT"}) as load:
        await _deliver_used_up_secret_id(vault_scene)
        await _said(vault_signer, "vault.login_failed", before + 1)
        undisturbed = time.monotonic()
        await load.serves_everybody()
        assert not load.tally().failures

        await desk.revoke_signer_tokens()
        await load.tells_everybody("VAULT_LOGGED_OUT")
        assert load.tally(since=undisturbed).failures.keys() == {"VAULT_LOGGED_OUT"}
        await desk.as_role(ROTATOR, "rotate", "credentials", "--to", str(secret_id_file(files)))


async def test_a_secret_id_that_somebody_else_opened_is_an_alarm_and_no_outage(
    vault_scene: VaultScene, vault_signer: Child, figures: Figures
) -> None:
    desk, files = vault_scene.desk, vault_scene.signer
    before = vault_signer.log().count("vault.secret_id_read_by_another")
    async with _outage(vault_scene, "secret_id_read_by_another", figures, set()) as load:
        wrapping = await wrapped_secret_id(desk.vault)
        await desk.vault.write("sys/wrapping/unwrap", token=wrapping)
        desk.lay(files, wrapping)
        await _said(vault_signer, "vault.secret_id_read_by_another", before + 1)
        await load.serves_everybody()
        await desk.deliver(files)
        await _taken(files)

    await desk.only_signer_token()


async def test_a_vault_that_answers_nothing_for_five_seconds_is_slow_and_then_signs(
    vault_scene: VaultScene, figures: Figures
) -> None:
    async with _outage(vault_scene, "stalled_5_s", figures, {"VAULT_SLOW", TOO_OLD}) as load:
        vault_scene.desk.vault.stall()
        try:
            await asyncio.gather(asyncio.sleep(STALL_S), load.tells_everybody("VAULT_SLOW"))
        finally:
            vault_scene.desk.vault.resume()


async def test_a_quote_that_got_old_while_vault_was_silent_is_denied(
    vault_scene: VaultScene, figures: Figures
) -> None:
    request = swap(vault_scene.signer, "old-quote-of-a-wait")
    # A second less than the policy lets it live: good when it is asked, and not when Vault wakes up.
    request.claim.swap.quote_time_unix_ms -= 9_000

    async with asking(vault_scene.signer) as asker:
        async with _stalled(vault_scene):
            asked = asyncio.ensure_future(asker.sign(request))
            await _reserved(vault_scene.signer, request.idempotency_key)
            await asyncio.sleep(1.2)
        reason = await _refused(asked)

    assert reason == TOO_OLD
    assert_ledger_agrees(vault_scene.signer, ())
    figures("VAULT_OUTAGES", "waited_quote_got_old", {"reasons": {reason: 1}, "signed": 0})


async def test_a_policy_that_was_tightened_while_vault_was_silent_counts(
    vault_scene: VaultScene, figures: Figures
) -> None:
    files = vault_scene.signer
    request = swap(files, "policy-of-a-wait", amount=5 * USDX_UNIT)
    lenient = files.policy.read_text()
    try:
        async with asking(files) as asker:
            async with _stalled(vault_scene):
                asked = asyncio.ensure_future(asker.sign(request))
                await _reserved(files, request.idempotency_key)
                await _put_policy(files, lenient.replace("\nmax_slippage_bps = 50", "\nmax_slippage_bps = 1"))
                await asyncio.sleep(0.8)
            reason = await _refused(asked)
    finally:
        await _put_policy(files, lenient)

    assert reason == "SLIPPAGE_TOO_HIGH"
    assert_ledger_agrees(files, ())
    figures("VAULT_OUTAGES", "waited_policy_tightened", {"reasons": {reason: 1}, "signed": 0})


@asynccontextmanager
async def _outage(
    scene: VaultScene, name: str, figures: Figures, expected: Collection[str]
) -> AsyncIterator[Load]:
    """Load before, during and after; the block is the outage and ends when somebody has ended it."""
    files = scene.signer
    async with Load.on(files, name) as load:
        await load.serves_everybody()
        begun = time.monotonic()
        yield load
        ended = time.monotonic()
        await load.serves_everybody()
        served = time.monotonic()
    await load.ask_again(64)

    tally, during = load.tally(), load.tally(since=begun)
    figures(
        "VAULT_OUTAGES",
        name,
        {
            **during.figures(files),
            "longest_gap_ms": tally.longest_gap_ms(),
            "recovery_ms": during.recovery_ms(ended),
            "everybody_served_ms": round((served - ended) * 1_000),
        },
    )
    assert tally.failures.keys() <= {*expected, TOO_OLD}
    assert tally.unsigned_keys == {answer.key for answer in tally.answers if answer.reason == TOO_OLD}
    assert (tally.double(), tally.foreign(files.address)) == (0, 0)
    assert_ledger_agrees(files, load.answers)


@asynccontextmanager
async def _stalled(scene: VaultScene) -> AsyncIterator[None]:
    scene.desk.vault.stall()
    try:
        yield
    finally:
        scene.desk.vault.resume()


async def _deliver_used_up_secret_id(scene: VaultScene) -> None:
    """Wrapped by AppRole and opened by nobody, but no login is left in it."""
    desk, role = scene.desk, f"auth/{APPROLE}/role/airlock-signer"
    known = await desk.vault.list(f"{role}/secret-id")
    wrapping = await wrapped_secret_id(desk.vault)
    (fresh,) = {*map(str, await desk.vault.list(f"{role}/secret-id"))} - {*map(str, known)}
    await desk.vault.write(f"{role}/secret-id-accessor/destroy", {"secret_id_accessor": fresh})
    desk.lay(scene.signer, wrapping)


async def _refused(asked: "asyncio.Future[pb.SignEvmTransactionResponse]") -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await asked
    return reason_of(refusal.value)


async def _reserved(files: SignerFiles, key: str) -> None:
    """Wait until the request was allowed, and waits for its signature."""

    async def waits() -> bool:
        return await asyncio.to_thread(slot_state, files, key) == "reserved"

    await until(waits, what="the request waits for Vault")


async def _put_policy(files: SignerFiles, text: str) -> None:
    files.policy.write_text(text)
    async with wire.channel(f"127.0.0.1:{files.admin_port}", files.pki, "admin") as connection:
        await wire.admin_stub(connection).ReloadPolicy(admin_pb2.ReloadPolicyRequest(), timeout=30)


async def _taken(files: SignerFiles) -> None:
    """Wait until the signer has logged in with what was delivered: an outage on the way would spend it."""

    async def gone() -> bool:
        return not secret_id_file(files).exists()

    await until(gone, what="the signer takes the secret id")


async def _said(child: Child, event: str, times: int) -> None:
    async def said() -> bool:
        return child.log().count(event) >= times

    await until(said, what=f"the signer says {event}")
