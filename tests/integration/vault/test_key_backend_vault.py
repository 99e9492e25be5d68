"""The vault backend on a real Vault: the contract of every backend, and what can be wrong with a key."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.adapters.vault.backend import SolanaPin, VaultKey, VaultKeyBackend
from signer.adapters.vault.envelope import Envelope, context_of
from signer.adapters.vault.envelopes import FileEnvelopes, KvEnvelopes
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.adapters.vault.transit import AES, ED25519, Transit
from signer.decode.evm.envelope import signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import AccountId, address_of
from signer.domain.errors import BrokenError, ConfigurationError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.transactions import UnsignedEvmTransaction
from tests.integration.key_backend_contract import PAYLOAD, KeyBackendContract, Subject
from tests.integration.vault.vault_accounts import VaultAccounts
from tests.testbed.accounts import dev_account
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi
from tests.testbed.vault_faults import Body, DropAfter, Edited, Fault, Hang, Html, Status, TooLong
from tests.testbed.vault_proxy import VaultProxy


@pytest.fixture(name="proxy")
async def _proxy(airlock_vault: VaultServer) -> AsyncIterator[VaultProxy]:
    async with VaultProxy(airlock_vault) as proxy:
        yield proxy


@pytest.fixture(name="accounts")
async def _accounts(airlock_vault: VaultServer, proxy: VaultProxy) -> AsyncIterator[VaultAccounts]:
    api = PlainVaultApi(airlock_vault, through=proxy, timeout_ms=4_000)
    accounts = VaultAccounts(api=api)
    await accounts.lay()
    yield accounts
    api.close()


class TestVaultKeyBackend(KeyBackendContract):
    @pytest.fixture(params=["kv", "file"])
    async def subject(
        self,
        accounts: VaultAccounts,
        proxy: VaultProxy,
        airlock_vault: VaultServer,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> Subject:
        if request.param == "file":
            accounts = replace(accounts, store=FileEnvelopes(tmp_path / "envelopes"))
        evm, solana = await accounts.wrap(3), await accounts.solana()
        assert solana.solana is not None
        facts = await accounts.transit.facts(solana.solana.key)
        assert facts is not None
        key = bytes.fromhex(dev_account(3).private_key.removeprefix("0x"))
        return Subject(
            backend=accounts.backend(evm, solana),
            evm_account=evm,
            solana_account=solana.account,
            solana_public_key=facts.public_keys[1],
            secrets=(key.hex(), str(key), base64.b64encode(key).decode(), airlock_vault.root_token),
            make_unavailable=lambda: setattr(proxy, "fault", Status(503)),
            chain_id=accounts.chain_id,
        )


# What can be wrong with an envelope. None of these gives a signature.


async def test_an_envelope_with_the_key_of_another_address_signs_nothing(accounts: VaultAccounts) -> None:
    account = accounts.account(3)
    await _store(accounts, account, ciphertext=await _encrypted(accounts, key_of=4, account=account))
    backend = accounts.backend(account)

    with pytest.raises(BrokenError, match=f"holds the key of {dev_account(4).address}"):
        await backend.check(account)
    with pytest.raises(BrokenError, match=f"holds the key of {dev_account(4).address}"):
        await backend.sign_evm(account, _transaction(accounts))


async def test_the_envelope_of_another_account_does_not_open(accounts: VaultAccounts) -> None:
    account, other = accounts.account(3), accounts.account(4)
    await _store(accounts, account, ciphertext=await _encrypted(accounts, key_of=3, account=other))
    backend = accounts.backend(account)

    with pytest.raises(BrokenError, match=r"does not open: it is of another account.*authentication failed"):
        await backend.check(account)
    with pytest.raises(BrokenError, match="does not open"):
        await backend.sign_evm(account, _transaction(accounts))


async def test_an_envelope_that_names_another_account_is_refused(accounts: VaultAccounts) -> None:
    account, other = accounts.account(3), await accounts.wrap(4)
    await accounts.api.write(
        f"airlock/data/accounts/{account.replace(':', '_')}",
        {"data": (await _read(accounts, other)).fields()},
    )

    with pytest.raises(BrokenError, match=f"holds the envelope of {other}; allowed is that of {account}"):
        await accounts.backend(account).check(account)


@pytest.mark.parametrize("damage", ["truncated", "altered", "another key's"])
async def test_a_damaged_ciphertext_does_not_open(accounts: VaultAccounts, damage: str) -> None:
    account = accounts.account(3)
    whole = await _encrypted(accounts, key_of=3, account=account)
    foreign = replace(accounts, wrapping_key=f"{accounts.wrapping_key}-2")
    await foreign.lay()
    ciphertext = {
        "truncated": whole[:-8],
        "altered": whole[:20] + ("A" if whole[20] != "A" else "B") + whole[21:],
        "another key's": await _encrypted(foreign, key_of=3, account=account),
    }[damage]
    await _store(accounts, account, ciphertext=ciphertext)

    with pytest.raises(BrokenError, match=f"the envelope of {account}"):
        await accounts.backend(account).sign_evm(account, _transaction(accounts))


async def test_what_is_no_ciphertext_of_transit_is_refused(accounts: VaultAccounts) -> None:
    account = accounts.account(3)
    fields = {"version": "1", "account": account, "ciphertext": "AAAA", "wrapping_key": accounts.wrapping_key}
    path = f"airlock/data/accounts/{account.replace(':', '_')}"
    await accounts.api.write(path, {"data": fields})

    with pytest.raises(BrokenError, match="vault:vN:… is allowed"):
        await accounts.backend(account).check(account)


async def test_engines_that_are_none_are_named(accounts: VaultAccounts) -> None:
    account, solana = await accounts.wrap(3), await accounts.solana()
    nowhere = replace(accounts, store=KvEnvelopes(accounts.api, "sys/mounts"))
    keyless = VaultKeyBackend(
        keys=[VaultKey(account=account), solana],
        transit=Transit(accounts.api, "sys"),
        envelopes=accounts.envelopes,
        wrapping_key=accounts.wrapping_key,
    )

    with pytest.raises(ConfigurationError, match=f"the envelope of {account}|{account} has no envelope"):
        await nowhere.backend(account).check(account)
    for each in (account, solana.account):
        with pytest.raises(ConfigurationError, match="Transit key sys/keys/"):
            await keyless.check(each)


async def test_an_account_without_envelope_is_told_how_to_get_one(accounts: VaultAccounts) -> None:
    account = accounts.account(3)

    with pytest.raises(ConfigurationError, match="create-account"):
        await accounts.backend(account).check(account)


async def test_a_key_version_below_the_minimum_is_named(accounts: VaultAccounts) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    await backend.check(account)
    await accounts.transit.rotate(accounts.wrapping_key)
    await accounts.transit.configure(accounts.wrapping_key, min_decryption_version=2)

    with pytest.raises(BrokenError, match=r"encrypted by version 1 of .* is below that key's min_decryption"):
        await backend.sign_evm(account, _transaction(accounts))


async def test_a_rewrapped_envelope_is_found_when_the_old_one_is_shut_out(accounts: VaultAccounts) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    await backend.check(account)
    old = await _read(accounts, account)
    await accounts.transit.rotate(accounts.wrapping_key)
    (fresh,) = await accounts.transit.rewrap_batch(accounts.wrapping_key, [old.sealed()])
    assert isinstance(fresh, str)
    assert await accounts.envelopes.replace(old, replace(old, ciphertext=fresh))
    await accounts.transit.configure(accounts.wrapping_key, min_decryption_version=2)

    signature = await backend.sign_evm(account, _transaction(accounts))

    assert recover_address(signing_hash(_transaction(accounts)), signature) == address_of(account)


async def test_one_bad_envelope_in_a_batch_fails_alone(accounts: VaultAccounts) -> None:
    good, bad = await accounts.wrap(3), accounts.account(5)
    await _store(accounts, bad, ciphertext=await _encrypted(accounts, key_of=5, account=good))
    backend = accounts.backend(good, bad)
    await backend.sign_evm(good, _transaction(accounts, nonce=99))

    async def sign(account: AccountId, nonce: int) -> bool:
        transaction = _transaction(accounts, nonce)
        try:
            signature = await backend.sign_evm(account, transaction)
        except BrokenError:
            return False
        return recover_address(signing_hash(transaction), signature) == address_of(account)

    signed = await asyncio.gather(*(sign(bad if nonce % 4 == 1 else good, nonce) for nonce in range(32)))

    assert signed == [nonce % 4 != 1 for nonce in range(32)]


async def test_many_accounts_are_opened_by_one_request(accounts: VaultAccounts, proxy: VaultProxy) -> None:
    made = await asyncio.gather(*(accounts.new.create(accounts.chain) for _ in range(32)))
    backend = accounts.backend(*made)
    await asyncio.gather(*(backend.sign_evm(account, _transaction(accounts)) for account in made))
    proxy.paths.clear()

    signatures = await asyncio.gather(
        *(backend.sign_evm(account, _transaction(accounts, nonce=1)) for account in made)
    )

    digest = signing_hash(_transaction(accounts, nonce=1))
    assert [recover_address(digest, signature) for signature in signatures] == [address_of(a) for a in made]
    assert proxy.paths == [f"POST transit/decrypt/{accounts.wrapping_key}"]


async def test_adopting_holds_an_account_that_has_an_envelope(accounts: VaultAccounts) -> None:
    first, second = await accounts.wrap(3), await accounts.wrap(4)
    backend = accounts.backend(first)

    await backend.adopt(second)
    await backend.adopt(second)

    assert set(await backend.accounts()) == {first, second}
    with pytest.raises(ConfigurationError, match="has no envelope"):
        await backend.adopt(accounts.account(6))
    assert accounts.account(6) not in await backend.accounts()


# What can be wrong with a Transit key.


@pytest.mark.parametrize(
    ("made", "configured", "named"),
    [
        ({"exportable": True}, {}, "is exportable;"),
        ({}, {"deletion_allowed": True}, "is deletion_allowed;"),
        ({"exportable": True, "allow_plaintext_backup": True}, {}, "exportable and allow_plaintext_backup;"),
        ({"derived": False}, {}, "is not derived"),
        ({"type": "chacha20-poly1305"}, {}, "is of type chacha20-poly1305; allowed is aes256-gcm96"),
    ],
)
async def test_a_wrapping_key_that_may_not_be_used_is_refused(
    accounts: VaultAccounts, made: dict[str, object], configured: dict[str, object], named: str
) -> None:
    bad = replace(accounts, wrapping_key=f"{accounts.wrapping_key}-bad")
    account = bad.account(3)
    body = {"type": AES, "derived": True} | made
    await bad.api.write(f"transit/keys/{bad.wrapping_key}", body)
    await bad.api.write(f"transit/keys/{bad.wrapping_key}/config", configured)
    await _store(bad, account, ciphertext=await _encrypted(bad, key_of=3, account=account))

    with pytest.raises(ConfigurationError, match=named):
        await bad.backend(account).check(account)
    with pytest.raises(ConfigurationError, match=named):
        await bad.wrap(4)


@pytest.mark.parametrize(
    ("made", "configured", "named"),
    [
        ({"exportable": True}, {}, "is exportable;"),
        ({}, {"deletion_allowed": True}, "is deletion_allowed;"),
        ({"exportable": True, "allow_plaintext_backup": True}, {}, "exportable and allow_plaintext_backup;"),
        ({"type": "ecdsa-p256"}, {}, "is of type ecdsa-p256; allowed is ed25519"),
    ],
)
async def test_a_solana_key_that_may_not_be_used_is_refused(
    accounts: VaultAccounts, made: dict[str, object], configured: dict[str, object], named: str
) -> None:
    good = await accounts.solana()
    name = f"{accounts.wrapping_key}-sol"
    await accounts.api.write(f"transit/keys/{name}", {"type": ED25519} | made)
    await accounts.api.write(f"transit/keys/{name}/config", configured)
    bad = VaultKey(account=good.account, solana=SolanaPin(key=name, key_version=1))

    with pytest.raises(ConfigurationError, match=named):
        await accounts.backend(bad).check(bad.account)
    with pytest.raises(ConfigurationError, match=named):
        await accounts.backend(bad).sign_solana(bad.account, b"message")


async def test_a_rotated_solana_key_still_signs_with_the_pinned_version(accounts: VaultAccounts) -> None:
    key = await accounts.solana()
    assert key.solana is not None
    await accounts.transit.rotate(key.solana.key)
    other = replace(key, solana=replace(key.solana, key_version=2))

    signature = await accounts.backend(key).sign_solana(key.account, b"message")

    assert len(signature) == 64
    with pytest.raises(
        BrokenError, match=r"version 2, pinned for .* is the key of .*; allowed is the account"
    ):
        await accounts.backend(other).sign_solana(key.account, b"message")


@pytest.mark.parametrize("setting", ["min_encryption_version", "min_decryption_version"])
async def test_a_pinned_version_below_the_minimum_is_named(accounts: VaultAccounts, setting: str) -> None:
    key = await accounts.solana()
    assert key.solana is not None
    backend = accounts.backend(key)
    await backend.check(key.account)
    await accounts.transit.rotate(key.solana.key)
    await accounts.api.write(f"transit/keys/{key.solana.key}/config", {"min_encryption_version": 2})
    if setting == "min_decryption_version":
        await accounts.transit.configure(key.solana.key, min_decryption_version=2)

    with pytest.raises(BrokenError, match=f"Vault does not sign for {key.account}"):
        await backend.sign_solana(key.account, b"message")
    with pytest.raises(ConfigurationError, match=r"version 1, pinned for .* is below"):
        await backend.check(key.account)


async def test_a_version_that_does_not_exist_is_refused(accounts: VaultAccounts) -> None:
    key = await accounts.solana()
    assert key.solana is not None
    future = replace(key, solana=replace(key.solana, key_version=2))

    with pytest.raises(ConfigurationError, match="does not exist; allowed are versions up to 1"):
        await accounts.backend(future).check(key.account)


# What Vault, or whoever answers in its place, may do.


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Html(), FailReason.VAULT_FAULTY),
        (Html(status=502), FailReason.VAULT_FAULTY),
        (Status(500), FailReason.VAULT_FAULTY),
        (Status(429), FailReason.VAULT_RATE_LIMITED),
        (Status(503), FailReason.VAULT_SEALED),
        (Hang(), FailReason.VAULT_SLOW),
        (TooLong(size_bytes=2**20), FailReason.VAULT_FAULTY),
        (Body(b""), FailReason.VAULT_FAULTY),
        (Body(b'{"data":{"batch_results":[]}}'), FailReason.VAULT_FAULTY),
        (Body(b'{"data":{"batch_results":[{"plaintext":"'), FailReason.VAULT_FAULTY),
        (Body(b'{"data":{"batch_results":[{"plaintext":"?"}]}}'), FailReason.VAULT_FAULTY),
        (Body(b'{"data":{"batch_results":[{"plaintext":"A==="}]}}'), FailReason.VAULT_FAULTY),
    ],
)
async def test_a_vault_that_fails_gives_its_own_reason_and_no_signature(
    accounts: VaultAccounts, proxy: VaultProxy, fault: Fault, reason: FailReason
) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    await backend.check(account)
    proxy.fault = fault

    with pytest.raises(UnavailableError) as caught:
        await backend.sign_evm(account, _transaction(accounts))
    proxy.fault = None
    signature = await backend.sign_evm(account, _transaction(accounts))

    assert caught.value.reason == reason
    assert recover_address(signing_hash(_transaction(accounts)), signature) == address_of(account)


async def test_a_cut_connection_is_asked_once_more_and_then_out_of_reach(
    accounts: VaultAccounts, proxy: VaultProxy
) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    proxy.fault = DropAfter()

    with pytest.raises(UnavailableError) as caught:
        await backend.sign_evm(account, _transaction(accounts))

    assert caught.value.reason == FailReason.VAULT_UNREACHABLE


async def test_another_certificate_is_out_of_reach(accounts: VaultAccounts, proxy: VaultProxy) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    await proxy.present_another_certificate()

    with pytest.raises(UnavailableError, match=r"(?i)certificate") as caught:
        await backend.sign_evm(account, _transaction(accounts))

    assert caught.value.reason == FailReason.VAULT_UNREACHABLE


async def test_a_key_that_is_not_the_accounts_signs_nothing_whoever_sends_it(
    accounts: VaultAccounts, proxy: VaultProxy
) -> None:
    account = await accounts.wrap(3)
    backend = accounts.backend(account)
    ours = base64.b64encode(_key(3))
    proxy.fault = Edited(lambda body: body.replace(ours, base64.b64encode(_key(4))))

    with pytest.raises(BrokenError, match="holds the key of"):
        await backend.sign_evm(account, _transaction(accounts))


# New accounts.


async def test_a_new_account_signs_and_no_two_are_the_same(accounts: VaultAccounts) -> None:
    made = [await accounts.new.create(accounts.chain) for _ in range(3)]
    backend = accounts.backend(*made)

    assert set(await backend.accounts()) == set(made)
    assert len(set(made)) == 3


async def test_a_key_of_another_account_is_not_taken(accounts: VaultAccounts) -> None:
    with LockedBuffer(32) as key:
        key.view[:] = _key(4)
        with pytest.raises(ConfigurationError, match=f"the key is that of {dev_account(4).address}"):
            await accounts.new.take(accounts.account(3), key.view)

    assert await accounts.envelopes.read(accounts.account(3)) is None


async def test_an_envelope_that_is_there_is_not_overwritten(accounts: VaultAccounts) -> None:
    account = await accounts.wrap(3)
    before = await _read(accounts, account)

    with pytest.raises(ConfigurationError, match="has an envelope already"):
        await accounts.wrap(3)

    assert await _read(accounts, account) == before


@pytest.mark.parametrize("place", ["kv", "file"])
async def test_beginning_again_finds_the_same_successor(
    accounts: VaultAccounts, place: str, tmp_path: Path
) -> None:
    if place == "file":
        accounts = replace(accounts, store=FileEnvelopes(tmp_path / "envelopes"))
    old = await accounts.wrap(3)

    chosen = await asyncio.gather(*(accounts.new.ensure_successor(old) for _ in range(4)))
    again = await accounts.new.ensure_successor(old)

    assert set(chosen) == {again}
    assert again != old
    await accounts.backend(again).check(again)


def _key(index: int) -> bytes:
    return bytes.fromhex(dev_account(index).private_key.removeprefix("0x"))


def _transaction(accounts: VaultAccounts, nonce: int = 0) -> UnsignedEvmTransaction:
    return UnsignedEvmTransaction(chain_id=accounts.chain_id, nonce=nonce, payload=PAYLOAD)


async def _encrypted(accounts: VaultAccounts, *, key_of: int, account: AccountId) -> str:
    with LockedBuffer(32) as key:
        key.view[:] = _key(key_of)
        return await accounts.transit.encrypt(accounts.wrapping_key, key.view, context=context_of(account))


async def _store(accounts: VaultAccounts, account: AccountId, *, ciphertext: str) -> None:
    envelope = Envelope(account=account, ciphertext=ciphertext, wrapping_key=accounts.wrapping_key)
    assert await accounts.envelopes.create(envelope)


async def _read(accounts: VaultAccounts, account: AccountId) -> Envelope:
    envelope = await accounts.envelopes.read(account)
    assert envelope is not None
    return envelope
