"""The plain `VaultApi` of the tests speaks like the port it stands for."""

import pytest

from signer.adapters.vault.api import VaultRefusedError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_ground import KV, TRANSIT


async def test_it_reads_lists_writes_and_deletes(airlock_vault: VaultServer) -> None:
    api = PlainVaultApi(airlock_vault)
    await api.write(f"{KV}/data/plain/one", {"data": {"a": "1"}, "options": {"cas": 0}})

    stored = await api.read(f"{KV}/data/plain/one")
    listed = await api.list(f"{KV}/metadata/plain")
    await api.delete(f"{KV}/metadata/plain/one")

    assert stored is not None
    assert (stored["data"], listed) == ({"a": "1"}, ("one",))
    assert await api.read(f"{KV}/data/plain/one") is None
    assert await api.list(f"{KV}/metadata/plain") == ()


async def test_a_no_to_the_content_is_refused_and_a_no_to_the_caller_is_forbidden(
    airlock_vault: VaultServer,
) -> None:
    with pytest.raises(VaultRefusedError, match="signing key not found"):
        await PlainVaultApi(airlock_vault).write(f"{TRANSIT}/sign/none", {"input": ""})
    with pytest.raises(UnavailableError) as forbidden:
        await PlainVaultApi(airlock_vault, await airlock_vault.token("default")).read(f"{TRANSIT}/keys/none")
    with pytest.raises(UnavailableError) as logged_out:
        await PlainVaultApi(airlock_vault, "hvs.never").read(f"{TRANSIT}/keys/none")

    assert forbidden.value.reason == FailReason.VAULT_FORBIDDEN
    assert logged_out.value.reason == FailReason.VAULT_LOGGED_OUT


async def test_a_wrapped_answer_keeps_its_token_out_of_its_repr(airlock_vault: VaultServer) -> None:
    body = {"policies": ["default"]}

    wrapped = await PlainVaultApi(airlock_vault).write_wrapped("auth/token/create", body, ttl_s=60)

    assert wrapped.ttl_s == 60
    assert wrapped.token not in repr(wrapped)
