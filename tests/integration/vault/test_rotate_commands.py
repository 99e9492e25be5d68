"""`airlock-signer rotate credentials` and `rotate certificates`, run as an operator runs them."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from cryptography import x509

from signer.adapters.pki.certificate_pair import finish_interrupted
from signer.cli.exit_codes import ExitCode
from tests.testbed.packages import Json
from tests.testbed.processes import ROOT
from tests.testbed.vault import VaultServer
from trader.adapters.signer_client.pair import check_pair

_SETTINGS = """
listen = "127.0.0.1:0"
ledger = "ledger.sqlite"
audit = "audit.jsonl"
policy = "policy.toml"

[tls]
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"
vault = {{ uri = "spiffe://airlock.local/signer", hosts = ["localhost", "127.0.0.1"], ttl_s = 3600 }}

[vault]
address = "{url}"
ca = "{ca}"
login = {{ approle = {{ role_id = "r", secret_id_file = "secret-id.wrapped" }} }}

[[chains]]
id = "eip155:31337"
rpc_url = "http://127.0.0.1:1"

[[accounts]]
id = "eip155:31337:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
wallet = "hot"
backend = "vault"

[[clients]]
san = "spiffe://airlock.local/admin"
role = "admin"
"""


class Person:
    """Somebody with a token of one policy."""

    def __init__(self, vault: VaultServer, folder: Path) -> None:
        self._vault, self.folder = vault, folder
        (folder / "signer.toml").write_text(_SETTINGS.format(url=vault.url, ca=vault.ca), encoding="utf-8")

    async def rotate(self, policy: str, *arguments: str) -> tuple[int, dict[str, Json], str]:
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(await self._vault.token(policy), encoding="ascii")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signer",
            "rotate",
            *arguments,
            *("--config", str(self.folder / "signer.toml"), "--token-file", str(token), "--json"),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate()
        return child.returncode or 0, json.loads(out) if out else {}, err.decode()


@pytest.fixture(name="person")
def _person(airlock_vault: VaultServer, tmp_path: Path) -> Person:
    return Person(airlock_vault, tmp_path)


async def test_a_secret_id_is_delivered_wrapped_and_whoever_delivers_it_cannot_read_it(
    airlock_vault: VaultServer, person: Person
) -> None:
    file = person.folder / "secret-id.wrapped"
    code, answer, err = await person.rotate("airlock-rotator", "credentials", "--to", str(file))
    opened = await airlock_vault.request("POST", "sys/wrapping/unwrap", token=file.read_text())
    again = await airlock_vault.request("POST", "sys/wrapping/unwrap", token=file.read_text())

    assert (code, err) == (ExitCode.OK, "")
    assert answer == {"role": "airlock-signer", "file": str(file), "taken": False}
    assert file.stat().st_mode & 0o777 == 0o600
    assert opened.data["secret_id"]
    assert again.status == 400


async def test_a_secret_id_that_nobody_takes_is_a_finding(person: Person) -> None:
    file = person.folder / "secret-id.wrapped"
    code, answer, _ = await person.rotate("airlock-rotator", "credentials", "--to", str(file), "--wait", "1")

    assert (code, answer["taken"]) == (ExitCode.FINDINGS, False)


async def test_nobody_else_delivers_and_a_folder_that_is_not_there_is_named(person: Person) -> None:
    file = person.folder / "secret-id.wrapped"
    forbidden = await person.rotate("airlock-trader", "credentials", "--to", str(file))
    nowhere = await person.rotate("airlock-rotator", "credentials", "--to", str(person.folder / "no" / "x"))

    assert forbidden[0] == ExitCode.UNREACHABLE
    assert "secret-id" in forbidden[2]
    assert nowhere[0] == ExitCode.CONFIGURATION
    assert str(person.folder / "no") in nowhere[2]
    assert not file.exists()


async def test_the_servers_certificate_is_made_anew_as_one_pair(person: Person) -> None:
    first = await person.rotate("airlock-signer", "certificates")
    second = await person.rotate("airlock-signer", "certificates")
    pair = person.folder / "server.pem", person.folder / "server.key"
    made = x509.load_pem_x509_certificate(pair[0].read_bytes())

    assert (first[0], second[0]) == (ExitCode.OK, ExitCode.OK), first[2]
    assert first[1]["serial"] != second[1]["serial"] == f"{made.serial_number:x}"
    finish_interrupted(*pair)
    check_pair(*pair)


async def test_an_admins_first_certificate_is_made(person: Person) -> None:
    pair = person.folder / "admin.pem", person.folder / "admin.key"
    code, answer, err = await person.rotate(
        "airlock-operator",
        *("certificates", "--client", "spiffe://airlock.local/admin", "--role", "admin-client"),
        *("--certificate", str(pair[0]), "--key", str(pair[1])),
    )

    assert (code, err) == (ExitCode.OK, "")
    assert answer["uri"] == "spiffe://airlock.local/admin"
    check_pair(*pair)


async def test_a_name_that_the_role_does_not_allow_is_refused(person: Person) -> None:
    code, _, err = await person.rotate(
        "airlock-operator",
        *("certificates", "--client", "spiffe://airlock.local/signer", "--role", "admin-client"),
        *("--certificate", str(person.folder / "a.pem"), "--key", str(person.folder / "a.key")),
    )

    assert code == ExitCode.CONFIGURATION
    assert "the role has to allow it" in err
