"""Each rotation by its command while 16 clients sign: nobody is refused, no signature is of another account.

The figures are printed at the end of the run, in a line that begins with VAULT_ROTATIONS.
"""

import asyncio
import base64
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509

from tests.e2e.asking import Asker, asking, swap
from tests.e2e.load import Load
from tests.e2e.tally import assert_ledger_agrees
from tests.e2e.vault_scene import VaultScene
from tests.testbed.figures import Figures
from tests.testbed.killing_proxy import KillingProxy
from tests.testbed.packages import Json
from tests.testbed.processes import Child, until
from tests.testbed.signer_program import SignerFiles
from tests.testbed.vault_desk import (
    OPERATOR,
    ROLE,
    ROTATOR,
    TRADER,
    place_file,
    secret_id_file,
)
from tests.testbed.vault_ground import KV, PKI, TRANSIT, WRAPPING_KEY

pytestmark = pytest.mark.usefixtures("vault_signer")

# What the command changes, in this order; it is killed right after each.
STEPS = (
    f"{TRANSIT}/keys/{WRAPPING_KEY}/rotate",
    f"{TRANSIT}/rewrap/{WRAPPING_KEY}",
    f"{KV}/data/accounts/",
    f"{TRANSIT}/keys/{WRAPPING_KEY}/config",
)
ROLL_OVERS = 2


async def test_the_wrapping_key_rotates_although_the_command_is_killed_after_every_step(
    vault_scene: VaultScene, figures: Figures, tmp_path: Path
) -> None:
    desk, account = vault_scene.desk, vault_scene.signer.account
    old = await _ciphertext(vault_scene)
    opens_before = await _opens(vault_scene, account, old)
    rotate = ("rotate", "wrapping-key", "--even-if-recent")
    async with _rotation(vault_scene, "wrapping_key", figures, {"kills": len(STEPS)}) as load:
        with KillingProxy(desk.vault, tmp_path) as proxy:
            watched = replace(desk, settings=place_file(tmp_path, proxy.url, proxy.ca))
            for step in STEPS:
                token = await desk.vault.token(ROTATOR, no_default_policy=True)
                with watched.command(*rotate, token=token) as command:
                    proxy.doomed, proxy.after = command, step
                    assert await asyncio.to_thread(command.wait, 30) == -signal.SIGKILL
                await load.serves_everybody()
        done = await desk.as_role(ROTATOR, "rotate", "wrapping-key")
        await load.serves_everybody()
        again = await desk.as_role(ROTATOR, *rotate)

    assert "versions from 2 on open" in done.output
    assert "versions from 3 on open" in again.output
    assert (opens_before, await _opens(vault_scene, account, old)) == (200, 400)
    assert await _opens(vault_scene, account, await _ciphertext(vault_scene)) == 200


async def test_credentials_roll_over_without_a_missed_signature(
    vault_scene: VaultScene, figures: Figures
) -> None:
    desk, files = vault_scene.desk, vault_scene.signer
    tokens = [await desk.only_signer_token()]
    async with _rotation(vault_scene, "credentials", figures, {"roll_overs": ROLL_OVERS}) as load:
        for _ in range(ROLL_OVERS):
            to = ("--to", str(secret_id_file(files)), "--wait", "15")
            await desk.as_role(ROTATOR, "rotate", "credentials", *to)
            await load.serves_everybody()
            tokens.append(await desk.only_signer_token())

    assert len({*tokens}) == len(tokens)


async def test_certificates_are_renewed_and_revoked_under_connections_that_stay_open(
    vault_scene: VaultScene, vault_signer: Child, figures: Figures
) -> None:
    desk, files = vault_scene.desk, vault_scene.signer
    await desk.client_certificate(files, "trader", role=TRADER, name="stolen")
    before = vault_signer.log().count("certificate.renewed")
    measured: dict[str, Json] = {}
    async with (
        _rotation(vault_scene, "certificates", figures, measured) as load,
        asking(files, identity="stolen") as thief,
    ):
        serials = [await asyncio.to_thread(_serial, files)]
        await _make_one_that_is_nearly_over(vault_scene)
        serials.append(await _another_serial(files, serials))
        await load.serves_everybody()
        await _asks_anew(files, "after-the-command")
        await thief.sign(swap(files, "before-it-was-revoked"))
        await _revoke(vault_scene, "stolen")

        revoked = time.monotonic()
        await _is_refused(thief)
        measured["revoked_client_refused_after_ms"] = round((time.monotonic() - revoked) * 1_000)
        await _renews_by_itself(vault_signer, before + 1)
        serials.append(await _another_serial(files, serials))
        await load.serves_everybody()
        await _asks_anew(files, "after-the-renewal")
        measured["certificates_served"] = len({*serials})

    assert measured["certificates_served"] == 3


@asynccontextmanager
async def _rotation(
    scene: VaultScene, name: str, figures: Figures, measured: dict[str, Json]
) -> AsyncIterator[Load]:
    """Load before, during and after the block; what the block adds to `measured` is told, too."""
    async with Load.on(scene.signer, name) as load:
        await load.serves_everybody()
        yield load
        await load.serves_everybody()
    await load.ask_again(64)

    tally = load.tally()
    told = {**tally.figures(scene.signer), "longest_gap_ms": tally.longest_gap_ms(), **measured}
    figures("VAULT_ROTATIONS", name, told)
    assert not tally.failures
    assert (tally.double(), tally.foreign(scene.signer.address)) == (0, 0)
    assert_ledger_agrees(scene.signer, load.answers)


async def _ciphertext(scene: VaultScene) -> str:
    slug = scene.signer.account.replace(":", "_")
    envelope = (await scene.desk.vault.read(f"{KV}/data/accounts/{slug}"))["data"]
    assert isinstance(envelope, dict)
    return str(envelope["ciphertext"])


async def _opens(scene: VaultScene, account: str, ciphertext: str) -> int:
    """The status with which Vault answers somebody who may open everything; what it answers is dropped."""
    context = base64.b64encode(account.encode()).decode()
    body: dict[str, Json] = {"ciphertext": ciphertext, "context": context}
    return (await scene.desk.vault.request("POST", f"{TRANSIT}/decrypt/{WRAPPING_KEY}", body)).status


async def _make_one_that_is_nearly_over(scene: VaultScene) -> None:
    """`rotate certificates` from a Vault that gives it 56 s, of which 36 have passed: due in a second."""
    role, usual = f"{PKI}/roles/signer-server", await scene.desk.vault.read(f"{PKI}/roles/signer-server")
    await scene.desk.vault.write(
        role, {**usual, "not_before_duration": "36s", "ttl": "20s", "max_ttl": "20s"}
    )
    try:
        at_the_host = replace(scene.desk, settings=scene.signer.settings)
        await at_the_host.as_role(ROLE, "rotate", "certificates")
    finally:
        await scene.desk.vault.write(role, usual)


async def _revoke(scene: VaultScene, name: str) -> None:
    token = await scene.desk.vault.token(OPERATOR, no_default_policy=True)
    body: dict[str, Json] = {"certificate": (scene.signer.pki / f"{name}.pem").read_text()}
    await scene.desk.vault.write(f"{PKI}/revoke", body, token=token)


async def _is_refused(client: Asker) -> None:
    async def refused() -> bool:
        try:
            await client.state()
        except grpc.aio.AioRpcError as error:
            return error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}
        return False

    await until(refused, what="the revoked client is refused", timeout_s=60, every_s=0.1)


async def _renews_by_itself(signer: Child, times: int) -> None:
    async def renewed() -> bool:
        return signer.log().count("certificate.renewed") >= times

    await until(renewed, what="the signer renews its certificate", timeout_s=70, every_s=0.2)


async def _another_serial(files: SignerFiles, known: list[int]) -> int:
    async def other() -> bool:
        return await asyncio.to_thread(_serial, files) not in known

    await until(other, what="another certificate is served", every_s=0.1)
    return await asyncio.to_thread(_serial, files)


async def _asks_anew(files: SignerFiles, key: str) -> None:
    """Over a connection that did not exist before."""
    async with asking(files) as asker:
        await asker.sign(swap(files, key))


def _serial(files: SignerFiles) -> int:
    """Serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context(cafile=files.pki / "ca.pem")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # clients judge, this only looks
    context.load_cert_chain(files.pki / "trader.pem", files.pki / "trader.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", files.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number
