from pathlib import Path

import pytest

from protos.airlock.signer.v1 import signer_pb2
from signer.domain.errors import ConfigurationError
from signer.settings import GRANTABLE_METHODS, Settings, load, load_vault_place, parse

ACCOUNT = "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TEXT = f"""listen = "127.0.0.1:7443"
ledger = "state/ledger.sqlite"
audit = "/var/audit.jsonl"
policy = "policy.toml"

[tls]
certificate = "pki/server.pem"
key = "pki/server.key"
client_ca = "pki/ca.pem"

[[chains]]
id = "eip155:31337"
rpc_url = "https://user:secret@node.example/key"

[[accounts]]
id = "{ACCOUNT}"
wallet = "hot"
backend = "dev"
dev = {{ mnemonic_index = 1 }}

[[clients]]
san = "spiffe://airlock.local/trader"
role = "trader"
[[clients.grants]]
account = "{ACCOUNT}"
methods = ["SignEvmTransaction", "GetBudget"]
"""


def settings(*changes: tuple[str, str]) -> Settings:
    text = TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return parse(text.encode(), Path("/etc/airlock/signer.toml"))


def test_paths_are_relative_to_the_folder_of_the_file() -> None:
    read = settings()

    assert read.ledger == Path("/etc/airlock/state/ledger.sqlite")
    assert read.audit == Path("/var/audit.jsonl")
    assert read.tls.key == Path("/etc/airlock/pki/server.key")


def test_accounts_are_canonical() -> None:
    read = settings()

    assert read.accounts[0].account_id == ACCOUNT.lower()
    assert dict(read.clients[0].methods_by_account()) == {
        ACCOUNT.lower(): frozenset({"SignEvmTransaction", "GetBudget"})
    }


def test_the_credential_of_a_node_shows_in_no_repr() -> None:
    assert "secret" not in repr(settings())


def test_the_url_of_a_node_can_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:8545\n")
    chain = settings(("https://user:secret@node.example/key", f"file:{tmp_path}/url")).chains[0]

    assert chain.url() == "http://127.0.0.1:8545"
    (tmp_path / "url").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        chain.url()


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('"127.0.0.1:7443"', '"7443"', 1, "host:port"),
        ('"127.0.0.1:7443"', '"127.0.0.1:99999"', 1, "port 0 to 65535"),
        ("[tls]", "color = 1\n[tls]", 6, "no such key"),
        ('key = "pki/server.key"\n', "", 6, "Field required"),
        ('"eip155:31337"', '"ethereum"', 12, "CAIP-2"),
        ('"eip155:31337"', '"eip155:1"', 1, "needs a [[chains]] table"),
        (f'id = "{ACCOUNT}"', 'id = "0x12"', 16, "CAIP-10"),
        ('"hot"', '"Hot Wallet"', 17, "pattern"),
        ('"dev"', '"paper"', 18, "'dev'"),
        ("dev = { mnemonic_index = 1 }", "", 15, "needs dev"),
        ("mnemonic_index = 1", 'mnemonic_index = 1, key_file = "k"', 19, "exactly one"),
        ("mnemonic_index = 1", 'mnemonic = "abandon"', 19, "no such key"),
        ('"spiffe://airlock.local/trader"', '"not a name"', 22, "one URI or lower-case DNS name"),
        ('"trader"', '"root"', 23, "'trader'"),
        ('"GetBudget"', '"*"', 26, "no wildcard"),
        (f'account = "{ACCOUNT}"', f'account = "{ACCOUNT[:-1]}9"', 1, "no account of this file"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_what_is_allowed(
    before: str, after: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings((before, after))

    (problem,) = str(caught.value).splitlines()
    assert problem.startswith(f"/etc/airlock/signer.toml:{line}: ")
    assert said in problem


def test_what_an_operator_typed_wrongly_is_never_quoted_as_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(('rpc_url = "https://user:secret@node.example/key"', 'rpc_url = ["secret"]'))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"\xff", b"listen = ", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_toml_is_named(raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"signer\.toml"):
        parse(raw, Path("/etc/airlock/signer.toml"))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"signer\.toml: cannot be read"):
        load(tmp_path / "signer.toml")


def test_two_tables_for_one_name_are_refused() -> None:
    again = '\n[[clients]]\nsan = "spiffe://airlock.local/trader"\nrole = "admin"\n'

    with pytest.raises(ConfigurationError, match="two clients"):
        parse((TEXT + again).encode(), Path("signer.toml"))


def test_a_plaintext_socket_needs_a_configured_client() -> None:
    table = '\n[unsafe_plaintext_unix_socket]\npath = "s.sock"\nclient = "spiffe://airlock.local/nobody"\n'

    with pytest.raises(ConfigurationError, match="no client of this file"):
        parse((TEXT + table).encode(), Path("signer.toml"))


def test_exactly_the_methods_of_the_contract_can_be_granted() -> None:
    service = signer_pb2.DESCRIPTOR.services_by_name["Signer"]

    assert set(service.methods_by_name) == GRANTABLE_METHODS


def test_the_example_of_the_documents_is_valid() -> None:
    example = Path(__file__).parents[2] / "docs" / "signer.example.toml"

    assert load(example).clients


VAULT = """
[vault]
address = "https://vault.internal:8200"
ca = "pki/vault-ca.pem"
envelopes = "file:state/envelopes"
[vault.login]
approle = { mount = "approle", role_id = "r", secret_id_file = "secrets/id.wrapped" }
"""
IN_VAULT = ('backend = "dev"\ndev = { mnemonic_index = 1 }', 'backend = "vault"')


def vault_settings(*changes: tuple[str, str]) -> Settings:
    return settings(
        ('san = "spiffe', f'san = "spiffe://x"\nrole = "admin"\n{VAULT}[[clients]]\nsan = "spiffe'), *changes
    )


def test_the_paths_of_vault_are_relative_too() -> None:
    vault = vault_settings(IN_VAULT).vault

    assert vault is not None
    assert vault.login.approle is not None
    assert vault.ca == Path("/etc/airlock/pki/vault-ca.pem")
    assert vault.envelope_folder == Path("/etc/airlock/state/envelopes")
    assert vault.login.approle.secret_id_file == Path("/etc/airlock/secrets/id.wrapped")


def test_the_name_of_a_transit_key_is_no_path() -> None:
    solana = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
    account = f'[[accounts]]\nid = "{solana}:{"1" * 32}"\nwallet = "sol"\nbackend = "vault"\n'
    key = 'vault = { key = "sol-hot", key_version = 1 }\n'
    chain = f'[[chains]]\nid = "{solana}"\nrpc_url = "http://127.0.0.1:1"\n'

    read = vault_settings(("[[clients]]", f"{chain}{account}{key}[[clients]]"))

    assert read.accounts[1].vault is not None
    assert read.accounts[1].vault.key == "sol-hot"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("https://vault", "http://vault", "unsafe_plaintext = true"),
        ("https://vault", "https://user:hunter2@vault", "no user, path"),
        ("https://vault.internal:8200", "vault.internal", "https://host"),
        ('ca = "pki/vault-ca.pem"', "", "needs ca"),
        ("file:state/envelopes", "s3", '"kv" and "file:FOLDER"'),
        (
            'approle = { mount = "approle", role_id = "r", secret_id_file = "secrets/id.wrapped" }',
            "",
            "exactly one",
        ),
        (VAULT, "", "needs a [vault] table"),
        ('backend = "vault"', 'backend = "vault"\ndev = { mnemonic_index = 1 }', "no table dev"),
        ('backend = "vault"', 'backend = "vault"\nvault = { key = "k", key_version = 1 }', "found by its id"),
        (
            'backend = "vault"',
            'backend = "dev"\ndev = { mnemonic_index = 1 }\nvault = { key = "k", key_version = 1 }',
            "no table vault",
        ),
    ],
)
def test_a_vault_that_cannot_be_used_is_refused_with_what_is_allowed(
    before: str, after: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        vault_settings(IN_VAULT, (before, after))

    assert complaint in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:9464", "[::1]:9464", "localhost:0"])
def test_metrics_are_shown_on_loopback(listen: str) -> None:
    assert settings(("policy = ", f'metrics_listen = "{listen}"\npolicy = ')).metrics_listen == listen


def test_metrics_beyond_loopback_are_said_so() -> None:
    shown = ("policy = ", 'metrics_listen = "0.0.0.0:9464"\npolicy = ')
    with pytest.raises(ConfigurationError, match=r"metrics_listen.*the page has no login"):
        settings(shown)

    assert settings(shown, ("metrics", "unsafe_metrics_beyond_loopback = true\nmetrics")).metrics_listen


def test_the_ages_at_which_something_is_due_have_defaults() -> None:
    read = settings(("[tls]", "[rotation]\naccount_days = 30\n[tls]"))

    assert (read.rotation.wrapping_key_days, read.rotation.account_days) == (90, 30)
    with pytest.raises(ConfigurationError, match=r"rotation.account_days"):
        settings(("[tls]", "[rotation]\naccount_days = 0\n[tls]"))


def test_a_persons_command_finds_the_same_files_as_the_signer(tmp_path: Path) -> None:
    vault = 'address = "https://vault"\nca = "pki/ca.pem"\nenvelopes = "file:state/envelopes"\nlogin = 7'
    (tmp_path / "signer.toml").write_text(f"[vault]\n{vault}\n")
    place = load_vault_place(tmp_path / "signer.toml")

    assert (place.ca, place.envelope_folder) == (tmp_path / "pki/ca.pem", tmp_path / "state/envelopes")
