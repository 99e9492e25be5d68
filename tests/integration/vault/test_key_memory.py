"""An EVM key leaves no trace in the memory of the process that has signed with it."""

import asyncio
import base64
import json
import os
import resource
import sys
from collections.abc import AsyncIterator

import pytest

from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.accounts import dev_account
from tests.testbed.memory import forms_of, search_memory
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

KEY = bytes.fromhex(dev_account(7).private_key.removeprefix("0x"))


@pytest.fixture(name="signed")
async def _signed(airlock_vault: VaultServer) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has just made 100 signatures."""
    api = PlainVaultApi(airlock_vault)
    accounts = VaultAccounts(api=api)
    await accounts.lay()
    told = {
        "url": airlock_vault.url,
        "ca": str(airlock_vault.ca),
        "wrapping_key": accounts.wrapping_key,
        "account": await accounts.wrap(7),
    }
    api.close()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.vault.signing_child", json.dumps(told)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{airlock_vault.root_token}\n".encode())
    assert await child.stdout.readline() == b"signed\n"
    yield child
    child.kill()
    await child.wait()
    child.stdin.close()
    await child.stdin.wait_closed()


async def test_no_form_of_the_key_is_left_after_100_signatures(signed: asyncio.subprocess.Process) -> None:
    found = await asyncio.to_thread(search_memory, signed.pid, forms_of(KEY))

    assert found == []


async def test_the_search_would_find_it() -> None:
    # This very process knows the key, being the one that looks for it.
    found = await asyncio.to_thread(search_memory, os.getpid(), forms_of(KEY))

    assert {"raw", "base64", "scalar, low half"} <= {each.form for each in found}


async def test_the_process_dumps_no_core(signed: asyncio.subprocess.Process) -> None:
    assert resource.prlimit(signed.pid, resource.RLIMIT_CORE) == (0, 0)


@pytest.mark.usefixtures("signed")
async def test_keys_are_in_no_audit_log_of_vault(airlock_vault: VaultServer) -> None:
    log = airlock_vault.audit_log.read_bytes()

    assert b"transit/decrypt" in log
    assert not any(form in log for form in (KEY, KEY.hex().encode(), base64.b64encode(KEY)))
