"""The signer as a process: after 100 signatures its memory and its files hold no form of the key."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.domain.actions import NativeTransfer
from tests.fakes import policies, wire
from tests.fakes.json_rpc_node import fake_node
from tests.integration.test_signer_contract import SETTINGS
from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.accounts import dev_account
from tests.testbed.memory import forms_of, search_memory
from tests.testbed.processes import Child, free_port
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_ground import WRAPPING_KEY, lay_ground, role_id, wrapped_secret_id

KEY = bytes.fromhex(dev_account(1).private_key.removeprefix("0x"))
SIGNATURES = 100
VAULT = """
[vault]
address = "{url}"
ca = "{ca}"
envelopes = "kv"
login = {{ approle = {{ role_id = "{role_id}", secret_id_file = "secret-id.wrapped" }} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signer that has just signed 100 times."""

    pid: int
    folder: Path


@pytest.fixture(name="signed")
async def _signed(own_vault_server: VaultServer, tmp_path: Path) -> AsyncIterator[Signed]:
    vault, port = own_vault_server, free_port()
    await lay_ground(vault)
    with closing(PlainVaultApi(vault)) as api:
        await VaultAccounts(api=api, chain_id=31337, wrapping_key=WRAPPING_KEY).wrap(1)
    write_dev_pki(tmp_path / "pki", now=SystemClock().now())
    policy = wire.POLICY.replace("max_transactions_per_minute = 30", "max_transactions_per_minute = 1000")
    (tmp_path / "policy.toml").write_text(
        policy.replace(" 100_000_000_000_000_000", " 900_000_000_000_000_000")
    )
    (tmp_path / "secret-id.wrapped").write_text(await wrapped_secret_id(vault))
    async with fake_node() as node:
        text = SETTINGS.format(url=node.url, account=wire.ACCOUNT).replace("127.0.0.1:0", f"127.0.0.1:{port}")
        text = text.replace('backend = "dev"\ndev = { mnemonic_index = 1 }', 'backend = "vault"')
        table = VAULT.format(url=vault.url, ca=vault.ca, role_id=await role_id(vault))
        (tmp_path / "signer.toml").write_text(text + table)
        argv = [sys.executable, "-m", "signer", "run", "--config", str(tmp_path / "signer.toml")]
        child = Child(argv, log=tmp_path / "signer.log")
        child.start()
        try:
            async with wire.channel(f"127.0.0.1:{port}", tmp_path / "pki") as channel:
                await asyncio.wait_for(channel.channel_ready(), 60)
                stub = wire.signer_stub(channel)
                action = NativeTransfer(recipient=policies.SAVINGS, amount_wei=1)
                for first in range(0, SIGNATURES, 10):
                    asked = [wire.sign_message(f"memory-{first + each}", action) for each in range(10)]
                    await asyncio.gather(*(stub.SignEvmTransaction(each) for each in asked))
            yield Signed(pid=child.pid, folder=tmp_path)
        finally:
            child.kill()


async def test_neither_its_memory_nor_its_files_hold_the_key(signed: Signed) -> None:
    forms = forms_of(KEY)

    in_memory = await asyncio.to_thread(search_memory, signed.pid, forms)
    files = [path for path in signed.folder.rglob("*") if path.is_file()]
    in_files = [
        (path.name, form) for path in files for form, raw in forms.items() if raw in path.read_bytes()
    ]

    assert in_memory == []
    assert in_files == []
    assert {"ledger.sqlite", "audit.jsonl", "signer.log"} <= {path.name for path in files}
