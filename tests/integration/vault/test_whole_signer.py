"""The signer on a real Vault while its wrapping key rotates, and while Vault is away."""

import asyncio
from dataclasses import replace
from pathlib import Path

import grpc.aio

from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.audit_file.head_file import head_path
from signer.cli.exit_codes import ExitCode
from tests.fakes import wire
from tests.integration.vault.whole_signer import WholeSigner, parsed, whole_signer
from tests.testbed.processes import until
from tests.testbed.vault import VaultServer

CLIENTS = 16
EVERY = 25


async def test_sixteen_clients_sign_while_the_wrapping_key_rotates_twice(
    own_vault_server: VaultServer, tmp_path: Path
) -> None:
    """0 failed and 0 with a wrong address; then audit, schedule and metrics agree about what happened."""
    async with whole_signer(own_vault_server, tmp_path, every_records=EVERY) as signer:
        signed, rotations = await _sign_through_rotations(signer)
        recent = await signer.command("rotate", "wrapping-key", "--json", policy="airlock-rotator")
        status = await signer.command("rotate", "wrapping-key", "--status", policy="airlock-rotator")
        forbidden = await signer.command("rotate", "wrapping-key", policy="airlock-auditor")
        figures = await signer.metrics()
        await _schedule_knows(signer)
        denied = "airlock-signer:" in forbidden[1] and forbidden[0] == ExitCode.UNREACHABLE

    assert [(each["version"], each["moved"], each["behind"]) for each in rotations] == [
        (2, 1, []),
        (3, 1, []),
    ]
    assert (recent[0], parsed(recent[1])["rotated"], parsed(recent[1])["version"]) == (ExitCode.OK, False, 3)
    assert (status[0], "version 3, 1 envelopes, versions from 3 on open" in status[1]) == (ExitCode.OK, True)
    assert denied
    assert figures['airlock_calls_total{method="SignEvmTransaction",outcome="answered"}'] == signed
    assert figures['airlock_calls_total{method="SignEvmTransaction",outcome="failed"}'] == 0
    assert figures["airlock_calls_in_flight"] == 0
    assert figures['airlock_up{part="vault"}'] == figures['airlock_up{part="audit_checkpoints"}'] == 1
    assert 0 <= figures['airlock_rotation_age_seconds{name="airlock-envelopes",what="wrapping_key"}'] < 600
    await _audit_holds(signer, signed)


async def test_a_sealed_vault_delays_checkpoints_and_the_next_one_covers_everything(
    own_vault_server: VaultServer, tmp_path: Path
) -> None:
    async with whole_signer(own_vault_server, tmp_path, every_records=1) as signer:
        await until(lambda: _made(signer, 1), what="the first checkpoint")
        stop = asyncio.Event()
        signing = asyncio.create_task(signer.sign("one", stop))
        await until(lambda: _made(signer, 2), what="a checkpoint of a signature")
        stop.set()
        signed = await signing
        await own_vault_server.seal()
        # A request that is denied needs no key, and its record is written all the same.
        denials = await _denials(signer, 3)
        await until(lambda: _said(signer, "checkpoint.delayed"), what="the delay is told")
        figures = await signer.metrics()
        await own_vault_server.unseal()
        await until(lambda: _said(signer, "checkpoint.caught_up"), what="checkpoints are made again")
        after = await signer.metrics()
    code, out = await signer.command("audit", "verify", signer.audit, "--json")

    assert (denials, figures['airlock_up{part="audit_checkpoints"}']) == (3, 0)
    assert figures["airlock_audit_checkpoint_delayed_seconds"] >= 1
    assert figures["airlock_audit_uncovered_records"] >= 1
    assert after["airlock_audit_checkpoint_delayed_seconds"] == 0
    assert after['airlock_denials_total{reason="AMOUNT_TOO_HIGH"}'] == 3
    checkpoints = parsed(out)["checkpoints"]
    assert code in {ExitCode.OK, ExitCode.FINDINGS}  # more than two records at once are a gap of this rhythm
    assert isinstance(checkpoints, dict)
    assert (checkpoints["covered"], checkpoints["problem"]) == (signed + denials, None)


async def _sign_through_rotations(signer: WholeSigner) -> tuple[int, list[dict[str, object]]]:
    stop = asyncio.Event()
    clients = [asyncio.create_task(signer.sign(f"c{number}", stop)) for number in range(CLIENTS)]
    rotations = []
    for _ in range(2):
        arguments = ("rotate", "wrapping-key", "--even-if-recent", "--json")
        code, out = await signer.command(*arguments, policy="airlock-rotator")
        assert code == ExitCode.OK, out
        rotations.append(parsed(out))
    await asyncio.sleep(0.2)
    stop.set()
    signed = await asyncio.gather(*clients)
    assert min(signed) > 0
    return sum(signed), rotations


async def _schedule_knows(signer: WholeSigner) -> None:
    """With a token from Vault itself, without one from the page of the running signer."""
    config = ("--config", signer.folder / "signer.toml")
    by_page = await signer.command("rotate", "schedule", *config, "--json")
    by_vault = await signer.command("rotate", "schedule", "--json", policy="airlock-auditor")

    for code, out in (by_page, by_vault):
        assert code == ExitCode.OK, out
        entries = parsed(out)["entries"]
        assert isinstance(entries, list)
        assert {entry["what"] for entry in entries} == {
            "wrapping_key",
            "account",
            "checkpoint_key",
            "audit_checkpoint",
            "vault_token",
            "vault_credential",
            "server_certificate",
            "client_authority",
            "policy",
        }
        assert {entry["state"] for entry in entries} <= {"fine", "soon"}


async def _audit_holds(signer: WholeSigner, signed: int) -> None:
    """Against Vault's public key and against the pinned one; a cut trail is found by both."""
    every = ("--every-records", str(20 * EVERY), "--json")
    by_vault = await signer.command(
        "audit", "verify", signer.audit, *every, "--public-key", "vault", policy="airlock-auditor"
    )
    _, text = await signer.command("audit", "public-key", policy="airlock-auditor")
    pinned = signer.folder / "airlock-audit.json"
    pinned.write_text(text)
    by_file = await signer.command("audit", "verify", signer.audit, *every, "--public-key", pinned)
    signer.audit.write_bytes(b"".join(signer.audit.read_bytes().splitlines(keepends=True)[:-1]))
    head_path(signer.audit).unlink()
    cut = await signer.command("audit", "verify", signer.audit, *every, "--public-key", pinned)

    for code, out in (by_vault, by_file):
        assert code == ExitCode.OK, out
        checkpoints = parsed(out)["checkpoints"]
        assert isinstance(checkpoints, dict)
        assert (checkpoints["covered"], checkpoints["uncovered"]) == (signed, 0)
        assert checkpoints["signatures_checked"] is True
        assert int(checkpoints["sound"]) > 1
    assert cut[0] == ExitCode.FINDINGS
    assert f"knows record {signed}" in cut[1]


async def _denials(signer: WholeSigner, count: int) -> int:
    async with signer.channel() as channel:
        stub = wire.signer_stub(channel)
        denied = 0
        for number in range(count):
            greedy = replace(wire.own_swap(), amount_in=10**9, minimum_out=10**9)
            try:
                await stub.SignEvmTransaction(wire.sign_message(f"greedy-{number}-", greedy))
            except grpc.aio.AioRpcError as error:
                denied += "AMOUNT_TOO_HIGH" in wire.reasons(error)
    return denied


async def _made(signer: WholeSigner, count: int) -> bool:
    return signer.names().count("checkpoint.made") >= count and checkpoint_path(signer.audit).exists()


async def _said(signer: WholeSigner, event: str) -> bool:
    return event in signer.names()
