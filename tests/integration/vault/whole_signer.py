"""The real signer on a real Vault, set up as an operator does it, and the commands of people beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import aiohttp
import grpc.aio

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.app import open_signer
from signer.cli import commands
from signer.decode.evm.envelope import decode_signed, signing_hash
from signer.decode.evm.recovery import recover_address
from signer.settings import load
from tests.fakes import wire
from tests.fakes.json_rpc_node import fake_node
from tests.fakes.signer_world import ListLog
from tests.integration.test_signer_contract import SETTINGS
from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.processes import free_port
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_ground import WRAPPING_KEY, lay_ground, role_id, wrapped_secret_id

_PLENTY = 10**15
_VAULT = """
[vault]
address = "{url}"
ca = "{ca}"
checkpoint_key = "airlock-audit"
checkpoint_every_records = {every_records}
login = {{ approle = {{ role_id = "{role_id}", secret_id_file = "secret-id.wrapped" }} }}
"""


@dataclass(frozen=True, kw_only=True)
class WholeSigner:
    vault: VaultServer
    folder: Path
    port: int
    metrics_port: int
    log: ListLog

    @property
    def audit(self) -> Path:
        return self.folder / "audit.jsonl"

    def names(self) -> list[str]:
        """Events so far."""
        return [name for name, _ in self.log.events]

    async def sign(self, client: str, stop: asyncio.Event) -> int:
        """Sign one after the other until told to stop. Raises for a failure and for a wrong address."""
        signed = 0
        async with self.channel() as channel:
            stub = wire.signer_stub(channel)
            while not stop.is_set():
                answer = await stub.SignEvmTransaction(wire.sign_message(f"{client}-{signed}-"))
                unsigned, signature = decode_signed(answer.raw_transaction)
                assert recover_address(signing_hash(unsigned), signature) == wire.ADDRESS
                signed += 1
        return signed

    def channel(self) -> grpc.aio.Channel:
        return wire.channel(f"127.0.0.1:{self.port}", self.folder / "pki")

    async def metrics(self) -> Mapping[str, float]:
        """Every figure of the page."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    async def command(self, *arguments: str | Path, policy: str = "") -> tuple[int, str]:
        """`airlock-signer …` as a person with a token of one policy, if any; exit code and output.

        In a thread of this process, which is quicker than a process and asks Vault as much.
        """
        access = await self._access(policy) if policy else ()
        return await asyncio.to_thread(_run, [*map(str, arguments), *access])

    async def _access(self, policy: str) -> tuple[str, ...]:
        token = self.folder / f"{policy}.token"
        token.touch(mode=0o600)
        token.write_text(await self.vault.token(policy, no_default_policy=True))
        return ("--config", str(self.folder / "signer.toml"), "--token-file", str(token))


@asynccontextmanager
async def whole_signer(vault: VaultServer, folder: Path, *, every_records: int) -> AsyncIterator[WholeSigner]:
    """Signs for public test account 1, whose key is in an envelope of this Vault."""
    metrics_port = free_port()
    await lay_ground(vault)
    with closing(PlainVaultApi(vault)) as api:
        await VaultAccounts(api=api, chain_id=31337, wrapping_key=WRAPPING_KEY).wrap(1)
    write_dev_pki(folder / "pki", now=SystemClock().now())
    (folder / "policy.toml").write_text(_plenty(wire.POLICY))
    (folder / "secret-id.wrapped").write_text(await wrapped_secret_id(vault))
    vault_table = _VAULT.format(
        url=vault.url, ca=vault.ca, role_id=await role_id(vault), every_records=every_records
    )
    log = ListLog()
    async with fake_node() as node:
        text = SETTINGS.format(url=node.url, account=wire.ACCOUNT)
        text = text.replace('backend = "dev"\ndev = { mnemonic_index = 1 }', 'backend = "vault"')
        config = folder / "signer.toml"
        config.write_text(f'metrics_listen = "127.0.0.1:{metrics_port}"\n{text}{vault_table}')
        async with open_signer(load(config), clock=SystemClock(), log=log) as listening:
            yield WholeSigner(
                vault=vault, folder=folder, port=listening.port, metrics_port=metrics_port, log=log
            )


def _run(arguments: list[str]) -> tuple[int, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = commands.run(arguments)
    return code, out.getvalue() or err.getvalue()


def _plenty(policy: str) -> str:
    for limit in ("3_000_000", "10_000_000", "6_000_000", "20_000_000"):
        policy = policy.replace(f" = {limit}\n", f" = {_PLENTY}\n")
    policy = policy.replace("max_transactions_per_minute = 30", "max_transactions_per_minute = 1000000")
    return policy.replace(
        "max_fee_per_day_wei = 100_000_000_000_000_000", f'max_fee_per_day_wei = "{_PLENTY * 10**6}"'
    )


def parsed(output: str) -> dict[str, object]:
    """What a command printed with --json."""
    found: dict[str, object] = json.loads(output.splitlines()[-1])
    return found
