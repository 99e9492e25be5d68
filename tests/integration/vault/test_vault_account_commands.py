"""`airlock-signer vault create-account` and `import-account`, run as an operator runs them."""

import asyncio
import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.adapters.dev_key.derivation import solana_key
from signer.adapters.vault.backend import SolanaPin, VaultKey
from signer.cli.exit_codes import ExitCode
from signer.domain.accounts import AccountId
from signer.domain.base58 import base58
from tests.integration.vault.vault_accounts import DEVNET, VaultAccounts
from tests.testbed.accounts import dev_account
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

ACCOUNT = 2
SEED = solana_key(5)
SOLANA = base58(Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Runs commands with its token in a file; a key goes in over a pipe."""

    folder: Path

    async def vault(self, command: str, *arguments: str, key: str | None = None) -> Ended:
        reading, writing = os.pipe()
        os.write(writing, b"" if key is None else key.encode())
        os.close(writing)
        argv = [
            sys.executable,
            "-m",
            "signer",
            "vault",
            command,
            "--config",
            str(self.folder / "signer.toml"),
        ]
        argv += ["--token-file", str(self.folder / "token"), *arguments]
        argv += [] if key is None else ["--key-fd", str(reading)]
        try:
            child = await asyncio.create_subprocess_exec(
                *argv,
                pass_fds=(reading,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await child.communicate()
        finally:
            os.close(reading)
        return Ended(code=child.returncode or 0, out=out.decode(), err=err.decode())


@pytest.fixture(name="operator")
async def _operator(airlock_vault: VaultServer, tmp_path: Path) -> Operator:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(await airlock_vault.token("airlock-operator"))
    (tmp_path / "signer.toml").write_text(
        f'[vault]\naddress = "{airlock_vault.url}"\nca = "{airlock_vault.ca}"\n'
    )
    return Operator(folder=tmp_path)


@pytest.fixture(name="accounts")
async def _accounts(airlock_vault: VaultServer) -> VaultAccounts:
    return VaultAccounts(api=PlainVaultApi(airlock_vault), wrapping_key="airlock-envelopes")


async def test_an_evm_account_is_made_and_its_snippet_printed(
    operator: Operator, accounts: VaultAccounts
) -> None:
    ended = await operator.vault("create-account", "--chain", "eip155:1", "--wallet", "cold")

    assert ended.code == ExitCode.OK, ended.err
    account = AccountId(ended.out.splitlines()[0])
    snippet = f'[[accounts]]\nid = "{account}"\nwallet = "cold"\nbackend = "vault"\n'
    assert ended.out == f"{account}\n\n{snippet}"
    envelope = await accounts.envelopes.read(account)
    assert envelope is not None
    assert envelope.account == account


async def test_a_successor_is_made_once_by_the_rotator(
    operator: Operator, accounts: VaultAccounts, airlock_vault: VaultServer
) -> None:
    (operator.folder / "token").write_text(await airlock_vault.token("airlock-rotator"))
    old = accounts.account(ACCOUNT)

    first = await operator.vault("create-account", "--successor-of", old, "--json")
    again = await operator.vault("create-account", "--successor-of", old, "--json")

    assert first.code == ExitCode.OK, first.err
    assert first.out == again.out
    assert json.loads(first.out)["account"].startswith(f"{accounts.chain}:0x")
    assert json.loads(first.out)["account"] != old


async def test_a_solana_account_is_made_with_its_version_pinned(
    operator: Operator, accounts: VaultAccounts
) -> None:
    name = f"sol-{secrets.token_hex(4)}"

    ended = await operator.vault("create-account", "--chain", DEVNET, "--solana", name)
    again = await operator.vault("create-account", "--chain", DEVNET, "--solana", name)

    assert ended.code == ExitCode.OK, ended.err
    assert f'vault = {{ key = "{name}", key_version = 1 }}' in ended.out
    key = VaultKey(account=AccountId(ended.out.splitlines()[0]), solana=SolanaPin(key=name, key_version=1))
    await accounts.backend(key).check(key.account)
    assert again.code == ExitCode.CONFIGURATION
    assert "is there already" in again.err


async def test_an_evm_key_is_imported_from_a_descriptor(operator: Operator, accounts: VaultAccounts) -> None:
    account = accounts.account(ACCOUNT)
    key = dev_account(ACCOUNT).private_key

    ended = await operator.vault("import-account", "--account", account, "--json", key=f"{key}\n")

    assert ended.code == ExitCode.OK, ended.err
    assert json.loads(ended.out) == {"account": account}
    assert await accounts.envelopes.read(account) is not None


async def test_a_solana_key_is_imported_under_vaults_wrapping_key(
    operator: Operator, accounts: VaultAccounts
) -> None:
    name, account = f"sol-{secrets.token_hex(4)}", AccountId(f"{DEVNET}:{SOLANA}")

    ended = await operator.vault(
        "import-account", "--account", account, "--solana", name, "--json", key=SEED.hex()
    )

    assert ended.code == ExitCode.OK, ended.err
    assert json.loads(ended.out) == {"account": account, "key": name, "key_version": 1}
    key = VaultKey(account=account, solana=SolanaPin(key=name, key_version=1))
    signature = await accounts.backend(key).sign_solana(account, b"message")
    Ed25519PrivateKey.from_private_bytes(SEED).public_key().verify(signature, b"message")


async def test_the_key_of_another_account_is_refused_and_not_shown(
    operator: Operator, accounts: VaultAccounts
) -> None:
    account, key = accounts.account(ACCOUNT), dev_account(3).private_key.removeprefix("0x")
    solana = f"{DEVNET}:{SOLANA}"

    ended = await operator.vault("import-account", "--account", account, key=key)
    sol = await operator.vault("import-account", "--account", solana, "--solana", "sol-other", key=key)

    assert (ended.code, sol.code) == (ExitCode.CONFIGURATION, ExitCode.CONFIGURATION)
    assert f"the key is that of {dev_account(3).address}; allowed is the key of {account}" in ended.err
    assert f"allowed is the key of {solana}" in sol.err
    assert key not in ended.out + ended.err + sol.out + sol.err
    assert await accounts.envelopes.read(account) is None


async def test_a_closed_descriptor_and_a_wrong_kind_of_account_are_named(
    operator: Operator, accounts: VaultAccounts
) -> None:
    closed = await operator.vault("import-account", "--account", accounts.account(2), "--key-fd", "99")
    mixed = await operator.vault("create-account", "--chain", "eip155:1", "--solana", "sol-x")

    assert (closed.code, mixed.code) == (ExitCode.CONFIGURATION, ExitCode.CONFIGURATION)
    assert "file descriptor 99 cannot be read" in closed.err
    assert "--solana NAME belongs to a Solana chain" in mixed.err
