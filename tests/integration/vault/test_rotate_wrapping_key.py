"""The wrapping key rotates while its envelopes are in use, from wherever the last run was cut off."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from signer.adapters.vault.api import VaultRefusedError
from signer.adapters.vault.backend import VaultKey, VaultKeyBackend
from signer.adapters.vault.envelope import Envelope
from signer.adapters.vault.opening import address_in
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import Address, address_of
from signer.domain.errors import BrokenError, ConfigurationError, UnavailableError
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from tests.integration.vault.rewrap_rig import Wrapped
from tests.testbed.processes import ROOT
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

CLIENTS = 16


@pytest.fixture
def api(airlock_vault: VaultServer) -> Iterator[PlainVaultApi]:
    with closing(PlainVaultApi(airlock_vault)) as opened:
        yield opened


@pytest.fixture(params=["kv", "file"])
async def wrapped(request: pytest.FixtureRequest, api: PlainVaultApi, tmp_path: Path) -> Wrapped:
    place = "kv" if request.param == "kv" else f"file:{tmp_path / 'envelopes'}"
    return await Wrapped(api, name=uuid4().hex[:8], place=place).make()


async def test_every_envelope_moves_and_the_old_ciphertext_opens_no_more(wrapped: Wrapped) -> None:
    old = await wrapped.envelopes()
    done = await wrapped.rotation().run(min_age_s=0)
    new = await wrapped.envelopes()
    state = await wrapped.rotation().state()

    assert done is not None
    assert (done.version, done.moved, done.begun) == (2, 3, True)
    assert {each.key_version for each in new} == {2}
    assert (state.oldest_allowed, state.newest, state.half_done) == (2, 2, False)
    for each in new:
        assert await address_in(wrapped.transit, each) == address_of(each.account)
    for each in old:
        with pytest.raises(BrokenError, match="too old"):
            await address_in(wrapped.transit, each)


async def test_a_second_run_soon_after_changes_nothing(wrapped: Wrapped) -> None:
    await wrapped.rotation().run(min_age_s=0)
    before = await wrapped.envelopes()

    assert await wrapped.rotation().run(min_age_s=3_600) is None
    assert await wrapped.envelopes() == before


async def test_a_rotation_that_somebody_began_by_hand_is_finished_and_not_begun_again(
    wrapped: Wrapped,
) -> None:
    await wrapped.transit.rotate(wrapped.key)
    done = await wrapped.rotation().run(min_age_s=3_600)

    assert done is not None
    assert (done.version, done.moved, done.begun) == (2, 3, False)


async def test_an_envelope_that_does_not_open_keeps_the_old_versions_allowed(wrapped: Wrapped) -> None:
    first, second, _ = await wrapped.envelopes()
    foreign = Envelope(account=first.account, ciphertext=second.ciphertext, wrapping_key=wrapped.key)
    await wrapped.store.replace(first, foreign)

    with pytest.raises(BrokenError, match=f"cannot be moved.*{first.account}"):
        await wrapped.rotation().run(min_age_s=0)
    state = await wrapped.rotation().state()
    assert (state.oldest_allowed, state.behind) == (1, (first.account,))

    await wrapped.store.replace(foreign, first)
    done = await wrapped.rotation().run(min_age_s=3_600)
    assert done is not None
    assert (done.version, done.moved, done.begun) == (2, 1, False)


async def test_an_account_that_was_created_meanwhile_is_moved_too(wrapped: Wrapped) -> None:
    late = await wrapped.wrapped(wrapped.accounts[0], 0)
    rotation = wrapped.rotation()
    await rotation.run(min_age_s=0)
    (current, *_) = await wrapped.envelopes()
    await wrapped.store.replace(current, late)  # wrapped before the rotation, stored after it
    done = await rotation.run(min_age_s=3_600)

    assert done is not None
    assert (done.version, done.moved, done.begun) == (2, 1, False)
    assert {each.key_version for each in await wrapped.envelopes()} == {2}


async def test_a_place_without_envelopes_is_refused_before_anything_is_shut_out(
    wrapped: Wrapped, tmp_path: Path
) -> None:
    wrapped.place = f"file:{tmp_path / 'another'}"

    with pytest.raises(ConfigurationError, match="there is no envelope of"):
        await wrapped.rotation().run(min_age_s=0)
    state = await wrapped.rotation().state()
    assert (state.newest, state.oldest_allowed) == (1, 1)


async def test_a_missing_wrapping_key_is_named(wrapped: Wrapped) -> None:
    wrapped.key = "nothing"

    with pytest.raises(ConfigurationError, match="no such key named nothing"):
        await wrapped.rotation().run(min_age_s=0)


async def test_no_request_of_a_rotation_asks_for_a_plaintext(
    airlock_vault: VaultServer, api: PlainVaultApi
) -> None:
    wrapped = await Wrapped(api, name=uuid4().hex[:8], place="kv").make()
    key, mount = wrapped.key, wrapped.mount
    await airlock_vault.write(f"sys/policies/acl/{key}", {"policy": _ROTATOR.format(key=key, mount=mount)})
    token = await airlock_vault.token(key)
    with closing(PlainVaultApi(airlock_vault, token)) as rotator:
        limited = Wrapped(rotator, name=key.removeprefix("wrap-"), place="kv")
        done = await limited.rotation().run(min_age_s=0)

        assert done is not None
        assert done.moved == 3
        with pytest.raises(UnavailableError, match="denied"):
            await address_in(limited.transit, (await limited.envelopes())[0])


async def test_a_rotation_killed_at_any_write_is_finished_by_the_next_run(
    airlock_vault: VaultServer, api: PlainVaultApi
) -> None:
    """Each write once before and once after its effect, until a run needs fewer writes than that."""
    wrapped = await Wrapped(api, name=uuid4().hex[:8], place="kv", count=2).make()

    # rotate, rewrap, one for each envelope, check, configure
    assert await _kill_everywhere(airlock_vault, wrapped) == 2 * 6


async def test_sixteen_clients_sign_through_two_killed_rotations_and_none_fails(
    airlock_vault: VaultServer, wrapped: Wrapped
) -> None:
    backend = VaultKeyBackend(
        keys=[VaultKey(account=each) for each in wrapped.accounts],
        transit=wrapped.transit,
        envelopes=wrapped.store,
        wrapping_key=wrapped.key,
    )
    await backend.accounts()
    stop = asyncio.Event()
    clients = [asyncio.create_task(_sign(backend, wrapped, number, stop)) for number in range(CLIENTS)]
    versions = []
    for number in (1, 3):
        assert await _was_killed(airlock_vault, wrapped, "after", number)
        done = await wrapped.rotation().run(min_age_s=3_600)
        assert done is not None
        versions.append((done.version, done.begun))
    await asyncio.sleep(0.2)
    stop.set()
    signed = await asyncio.gather(*clients)  # a failure or a wrong address raises here

    assert versions == [(2, False), (3, False)]
    assert min(signed) > 0


_ROTATOR = """
path "transit/keys/{key}" {{ capabilities = ["read"] }}
path "transit/keys/{key}/rotate" {{ capabilities = ["update"] }}
path "transit/keys/{key}/config" {{ capabilities = ["update"] }}
path "transit/rewrap/{key}" {{ capabilities = ["update"] }}
path "{mount}/metadata/accounts/" {{ capabilities = ["list"] }}
path "{mount}/data/accounts/*" {{ capabilities = ["read", "update"] }}
"""


async def _kill_everywhere(server: VaultServer, wrapped: Wrapped) -> int:
    killed = 0
    for number in range(1, 100):
        for when in ("before", "after"):
            before = await wrapped.rotation().state()
            old = await wrapped.envelopes()
            if not await _was_killed(server, wrapped, when, number):
                return killed
            killed += 1
            rotated = (await wrapped.rotation().state()).newest > before.newest
            done = await wrapped.rotation().run(min_age_s=3_600 if rotated else 0)
            state = await wrapped.rotation().state()

            # Only a run that was killed after its last write left nothing to do.
            assert done is not None or (rotated and not state.half_done)
            assert state.newest == before.newest + 1, f"{when} write {number}: rotated twice, or not at all"
            assert (state.oldest_allowed, state.behind) == (state.newest, ())
            for each in await wrapped.envelopes():
                assert await address_in(wrapped.transit, each) == address_of(each.account)
            with pytest.raises((BrokenError, VaultRefusedError)):
                await address_in(wrapped.transit, old[0])
    raise AssertionError("a rotation that never ends")


async def _was_killed(server: VaultServer, wrapped: Wrapped, when: str, number: int) -> bool:
    module = "tests.integration.vault.rewrap_child"
    where = (server.url, str(server.folder), server.root_token)
    point = (wrapped.key, wrapped.mount, wrapped.place, when, str(number))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *where, *point, cwd=ROOT)
    code = await process.wait()
    assert code in {0, -signal.SIGKILL}
    return code != 0


async def _sign(backend: VaultKeyBackend, wrapped: Wrapped, number: int, stop: asyncio.Event) -> int:
    account = wrapped.accounts[number % len(wrapped.accounts)]
    signed = 0
    while not stop.is_set():
        transaction = _transaction(nonce=number * 1_000_000 + signed)
        signature = await backend.sign_evm(account, transaction)
        assert recover_address(signing_hash(transaction), signature) == address_of(account)
        signed += 1
    return signed


def _transaction(nonce: int) -> UnsignedEvmTransaction:
    payload = EvmPayload(
        to=Address("0x" + "b2" * 20),
        value_wei=1,
        data=b"",
        gas_limit=21_000,
        max_fee_per_gas_wei=10**9,
        max_priority_fee_per_gas_wei=1,
    )
    return UnsignedEvmTransaction(chain_id=31337, nonce=nonce, payload=payload)
