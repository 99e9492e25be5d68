import hashlib
from pathlib import Path

import pytest
from eth_account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.adapters.dev_key.derivation import TEST_MNEMONIC, ethereum_key, solana_key
from signer.adapters.dev_key.public_accounts import public_index
from signer.domain.accounts import AccountId
from signer.domain.base58 import base58
from signer.domain.errors import ConfigurationError
from tests.integration.key_backend_contract import KeyBackendContract, Subject
from tests.testbed.accounts import COUNT, MNEMONIC, dev_account

EVM = AccountId(f"eip155:31337:{dev_account(3).address}")
SOLANA_PUBLIC = "oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96"
SOLANA = AccountId(f"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1:{SOLANA_PUBLIC}")


class TestDevKeyBackend(KeyBackendContract):
    @pytest.fixture
    def subject(self) -> Subject:
        keys = (DevKey(account=EVM, mnemonic_index=3), DevKey(account=SOLANA, mnemonic_index=0))
        return Subject(
            backend=DevKeyBackend(keys),
            evm_account=EVM,
            solana_account=SOLANA,
            solana_public_key=bytes(Pubkey.from_string(SOLANA_PUBLIC)),
            secrets=(ethereum_key(3).hex(), solana_key(0).hex(), str(ethereum_key(3)), TEST_MNEMONIC),
        )


@pytest.mark.parametrize("index", [*range(COUNT), 2**31 - 1])
def test_ethereum_keys_are_those_that_every_wallet_derives(index: int) -> None:
    Account.enable_unaudited_hdwallet_features()
    other = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")

    assert ethereum_key(index) == bytes(other.key)


@pytest.mark.parametrize("index", [0, 1, 9])
def test_solana_keys_are_those_that_every_wallet_derives(index: int) -> None:
    seed = hashlib.pbkdf2_hmac("sha512", MNEMONIC.encode(), b"mnemonic", 2_048)
    other = Keypair.from_seed_and_derivation_path(seed, f"m/44'/501'/{index}'/0'")

    assert solana_key(index) == other.secret()
    assert base58(bytes(other.pubkey())) == str(other.pubkey())


@pytest.mark.parametrize(
    "chain", ["eip155:1", "eip155:56", "eip155:11155111", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"]
)
def test_a_chain_that_is_not_known_as_local_is_refused(chain: str) -> None:
    address = SOLANA_PUBLIC if chain.startswith("solana") else dev_account(3).address

    with pytest.raises(ConfigurationError, match="allowed are eip155:1337"):
        DevKeyBackend([DevKey(account=AccountId(f"{chain}:{address}"), mnemonic_index=3)])


def test_a_key_of_another_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="allowed is that address"):
        DevKeyBackend([DevKey(account=EVM, mnemonic_index=4)])


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = _key_file(tmp_path, f"{dev_account(3).private_key}\n")

    assert repr(DevKeyBackend([DevKey(account=EVM, key_file=path)])) == "DevKeyBackend(1 keys)"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = _key_file(tmp_path, dev_account(3).private_key)
    path.chmod(mode)

    with pytest.raises(ConfigurationError, match="allowed is a file of mode 0600"):
        DevKeyBackend([DevKey(account=EVM, key_file=path)])


@pytest.mark.parametrize("content", ["", "00" * 32, "zz" * 32, "11" * 31, "11" * 33, "ab" * 200])
def test_a_key_file_without_a_key_is_refused_and_never_quoted(tmp_path: Path, content: str) -> None:
    path = _key_file(tmp_path, content)

    with pytest.raises(ConfigurationError) as caught:
        DevKeyBackend([DevKey(account=EVM, key_file=path)])

    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value)


def test_an_absent_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        DevKeyBackend([DevKey(account=EVM, key_file=tmp_path / "absent")])


@pytest.mark.parametrize("both", [True, False])
def test_a_key_comes_from_exactly_one_place(tmp_path: Path, both: bool) -> None:
    key = DevKey(account=EVM, mnemonic_index=3 if both else None, key_file=tmp_path if both else None)

    with pytest.raises(ConfigurationError, match="exactly one"):
        DevKeyBackend([key])


def test_the_public_accounts_are_known_by_address() -> None:
    assert [public_index(AccountId(f"eip155:1337:{dev_account(i).address}")) for i in range(COUNT)] == [
        *range(COUNT)
    ]
    with pytest.raises(ConfigurationError, match="no public test account"):
        public_index(AccountId("eip155:1337:0x" + "99" * 20))


def _key_file(folder: Path, content: str) -> Path:
    path = folder / "key.hex"
    path.write_text(content)
    path.chmod(0o600)
    return path
