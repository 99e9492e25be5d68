"""Settings are whole or refused, with file, line, key and what is allowed."""

from pathlib import Path

import pytest

from trader.domain.errors import ConfigurationError
from trader.domain.toml_lines import line_of, spell
from trader.settings import load

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "trader.example.toml"


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "trader.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_example_is_valid_and_its_paths_are_absolute(tmp_path: Path) -> None:
    settings = load(_changed(tmp_path, "# ", "# "))

    assert settings.signer.ca_file == tmp_path / "pki/ca.pem"
    assert settings.database.dsn == f"file:{tmp_path / 'secrets/dsn'}"
    assert settings.chain.confirmations is None


@pytest.mark.parametrize(
    ("old", "new", "place", "allowed"),
    [
        ("workers = 4", "wokers = 4", "engine.wokers", "Extra inputs"),
        ("workers = 4", "workers = 0", "engine.workers", "greater than or equal to 1"),
        ("workers = 4", 'workers = "4"', "engine.workers", "valid integer"),
        ("max_slippage_bps = 30", "max_slippage_bps = 101", "strategies[0].max_slippage_bps", "100"),
        ("lease_ms = 60000", "lease_ms = 1000", "settings", "at least 20000"),
        ('base = "WETH"', 'base = "WBTC"', "settings", "'WBTC' is no asset"),
        ('dsn = "file:secrets/dsn"', 'dsn = "postgresql://u:hunter2@h/d"', "database.dsn", "file:PATH"),
        ('dsn = "file:secrets/dsn"', 'dsn = "mysql://h/d"', "database.dsn", "postgresql://"),
        ('ca_file = "pki/ca.pem"', "", "signer", "mutual TLS"),
        ('rpc_url = "https://', 'rpc_url = "ftp://', "chain.rpc_url", "http://"),
        ('wallet = "eip155:1:', 'wallet = "eip155:', "wallet", "CAIP-10"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, place: str, allowed: str
) -> None:
    path = _changed(tmp_path, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load(path)

    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert f": {place}: " in message
    assert allowed in message
    assert "hunter2" not in message
    line = int(message.removeprefix(f"{path}:").partition(":")[0])
    if new and place != "settings":
        assert new in path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("wallet = \n", encoding="utf-8")
    for path in (tmp_path / "nothing.toml", broken):
        with pytest.raises(ConfigurationError, match=str(path)):
            load(path)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("workers = 4", 'workers = 4\nprivate_key = "0x' + "ab" * 32 + '"', "a private key"),
        ("workers = 4", 'workers = 4\nseed = "' + "test " * 11 + 'junk"', "a mnemonic"),
        ("workers = 4", 'workers = 4\ntoken = "hvs.' + "Aa1" * 10 + '"', "a Vault token"),
        ("https://ethereum-node.internal", "https://user@ethereum-node.internal", "an access key"),
        ("https://ethereum-node.internal", "https://u:hunter2@ethereum-node.internal", "a password"),
        ("https://ethereum-node.internal", "https://node.internal/v2/" + "k3Y" * 9, "an access key"),
        ("https://ethereum-node.internal", "https://node.internal/?key=" + "k3Y" * 9, "an access key"),
        ("https://ethereum-node.internal", "https://node.internal/?" + "k3Y" * 9, "an access key"),
        ("https://ethereum-node.internal", "https://node.internal/rpc#" + "k3Y" * 9, "an access key"),
        (
            "https://ethereum-node.internal",
            "https://node.internal/?t=eyJhbGciOiJIUzI1NiJ9.e30.x",
            "an access key",
        ),
        ("https://ethereum-node.internal", "https://node.internal/v2/" + "k3Y" * 9 + "==", "an access key"),
        ("https://ethereum-node.internal", "https://node.internal/%6b3Y" + "k3Y" * 9, "an access key"),
        ("https://ethereum-node.internal", "https://u:hunter2/x@node.internal/", "a password"),
        ('"file:secrets/dsn"', '"postgresql://u@h/d?password=hunter2"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u@h/d?PASSWORD=hunter2"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:hunter2/x@h/d"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:12/34@h/d"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:hunter2?x@h/d"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:hunter2#x@h/d"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:hunter2@[h/d"', "a password"),
        ('"file:secrets/dsn"', '"postgresql://u:hunter2@h\uff0fd"', "a password"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_its_line_and_not_shown(
    tmp_path: Path, old: str, new: str, kind: str
) -> None:
    path = _changed(tmp_path, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load(path)

    message = str(caught.value)
    line = int(message.removeprefix(f"{path}:").partition(":")[0])
    secret = new.splitlines()[-1].rpartition('= "')[2].strip('"')
    assert kind in message
    assert "vault:MOUNT/PATH#FIELD" in message
    assert secret not in message
    assert "hunter2" not in message
    assert secret in path.read_text(encoding="utf-8").splitlines()[line - 1]


@pytest.mark.parametrize(
    "around",
    [
        'notes = [\n  "one",\n  "SECRET",\n]',
        'notes = [\n  { a = "one" },\n  { a = "SECRET" },\n]',
        '[[notes]]\na = 1\n[notes.of.it]\nb = "SECRET"',
        "[notes]\n'a' = \"SECRET\"",
        "notes.of.it = 'SECRET'",
        'notes = """\nSECRET\none = 1"""',
    ],
)
def test_a_secret_is_found_wherever_it_stands_and_its_own_line_named(tmp_path: Path, around: str) -> None:
    secret = "0x" + "ab" * 32
    if '"""' in around:
        secret = "-----BEGIN EC PRIVATE KEY-----"
    path = tmp_path / "trader.toml"
    path.write_text(f"x = 1\n{around.replace('SECRET', secret)}\ny = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="a private key in this file is refused") as caught:
        load(path)

    line = int(str(caught.value).removeprefix(f"{path}:").partition(":")[0])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert secret in lines[line - 1]
    assert secret not in str(caught.value)


@pytest.mark.parametrize("text", ["postgresql://hunter2@h\uff0fd", "postgresql://hunter2@[h/d"])
def test_what_is_no_url_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.dsn: no URL; ") as caught:
        load(_changed(tmp_path, "file:secrets/dsn", text))

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "https://ethereum-node.internal:8545/rpc/v1",
        "http://[::1]:8545",
        "https://a-very-long-name-of-a-host-1234567890.mainnet.eth.internal.example/",
    ],
)
def test_an_address_without_a_key_may_stand_in_the_file(tmp_path: Path, text: str) -> None:
    assert load(_changed(tmp_path, "https://ethereum-node.internal", text)).chain.rpc_url.startswith(text)


@pytest.mark.parametrize(
    "text",
    ["postgresql:///d?host=/run/postgresql", "postgresql://u@[::1]:5432/d", "postgresql://u%40x@h:1/d"],
)
def test_a_dsn_without_a_password_may_stand_in_the_file(tmp_path: Path, text: str) -> None:
    assert load(_changed(tmp_path, "file:secrets/dsn", text)).database.dsn == text


def test_a_reference_to_vault_needs_a_vault(tmp_path: Path) -> None:
    path = _changed(tmp_path, '"file:secrets/dsn"', '"vault:airlock-trader/postgres#dsn"')

    with pytest.raises(ConfigurationError, match=r"database\.dsn: a vault: .* needs the \[vault\] table"):
        load(path)


def test_a_database_login_is_two_references_beside_a_dsn_that_names_nobody(tmp_path: Path) -> None:
    login = 'login = { user = "file:secrets/user", password = "file:secrets/password" }'
    named = 'dsn = "postgresql://db.internal/books"'
    settings = load(_changed(tmp_path, 'dsn = "file:secrets/dsn"', f"{named}\n{login}"))

    assert settings.database.login is not None
    assert settings.database.login.user == f"file:{tmp_path / 'secrets/user'}"
    for wrong in (
        f'dsn = "file:secrets/dsn"\n{login}',
        f"{named}\n{login.replace('file:secrets/user', 'bob')}",
    ):
        with pytest.raises(ConfigurationError, match="database"):
            load(_changed(tmp_path, 'dsn = "file:secrets/dsn"', wrong))


def test_a_vault_has_one_login_and_paths_beside_the_file(tmp_path: Path) -> None:
    table = """[vault]
address = "https://vault.internal:8200"
login = { certificate = { role = "airlock-trader", cert_file = "pki/a.pem", key_file = "pki/a.key" } }
"""
    settings = load(_changed(tmp_path, "[fees]", f"{table}\n[fees]"))
    two = table.replace(" } }", ' }, jwt = { role = "r", token_file = "t" } }')

    assert settings.vault is not None
    assert settings.vault.login.certificate is not None
    assert settings.vault.login.certificate.cert_file == tmp_path / "pki/a.pem"
    with pytest.raises(ConfigurationError, match="exactly one of certificate, jwt and approle"):
        load(_changed(tmp_path, "[fees]", f"{two}\n[fees]"))


def test_lines_of_tables_and_arrays_are_found() -> None:
    text = 'a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n[[d]]\ne = 4\n["f.g"]\n'

    assert line_of(text, ("b", "c")) == 3
    assert line_of(text, ("d", 1, "e")) == 7
    assert line_of(text, ("b", "missing")) == 2
    assert line_of(text, ("nowhere",)) is None
    assert spell(("d", 1, "e")) == "d[1].e"
