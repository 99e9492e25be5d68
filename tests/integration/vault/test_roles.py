"""The five policies on a real server: each role does its job, and every other path is denied to it.

`OPERATIONS` is the whole matrix: what can be asked of the engines and logins that Airlock uses, and of Vault
itself, and who may. "May" means that Vault does not answer 403; whether the request makes sense is another
matter.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from typing_extensions import override

from signer.adapters.pki.authority import new_key
from tests.testbed.packages import Json
from tests.testbed.parts import require
from tests.testbed.vault import VaultServer
from tests.testbed.vault_files import FOLDER
from tests.testbed.vault_ground import lay_ground, login
from tests.testbed.vault_requests import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNER, TRADER, ROTATOR, OPERATOR, AUDITOR = ROLES = ("signer", "trader", "rotator", "operator", "auditor")
APPROLES = {SIGNER, TRADER, ROTATOR}
EVERYBODY = set(ROLES)
TEXT = "YWlybG9jaw=="  # base64
ENVELOPE: dict[str, Json] = {"data": {"account": "eip155:1:0x00", "ciphertext": "vault:v1:none"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request; `wrap_s` asks for a wrapped answer."""

    method: str
    path: str
    body: dict[str, Json] | None = None
    wrap_s: int | None = None

    @override
    def __str__(self) -> str:
        keys = "" if not self.body else " " + " ".join(self.body)
        return f"{self.method} {self.path}{keys}{' wrapped' if self.wrap_s else ''}"


def _op(line: str, body: dict[str, Json] | None = None, *, wrap_s: int | None = None) -> Operation:
    method, path = line.split()
    return Operation(method=method, path=path, body=body, wrap_s=wrap_s)


OPERATIONS: list[tuple[Operation, set[str]]] = [
    # Transit: accounts of Solana.
    (_op("POST transit/sign/sol-roles", {"input": TEXT, "key_version": 1}), {SIGNER}),
    (_op("POST transit/sign/other", {"input": TEXT}), set()),
    (_op("GET transit/keys/sol-roles"), {SIGNER, OPERATOR, AUDITOR}),
    (_op("GET transit/keys/other"), {AUDITOR}),
    (_op("LIST transit/keys"), {AUDITOR}),
    (_op("POST transit/keys/sol-roles", {"type": "ed25519"}), {OPERATOR}),
    (_op("POST transit/keys/sol-roles", {"type": "ed25519", "exportable": True}), set()),
    (_op("POST transit/keys/sol-roles", {"type": "ed25519", "allow_plaintext_backup": True}), set()),
    (_op("POST transit/keys/sol-roles", {"type": "rsa-4096"}), set()),
    (_op("POST transit/keys/other", {"type": "ed25519"}), set()),
    (_op("POST transit/keys/sol-imported/import", {"type": "ed25519", "ciphertext": TEXT}), {OPERATOR}),
    (_op("POST transit/keys/sol-imported/import", {"ciphertext": TEXT, "exportable": True}), set()),
    (_op("GET transit/wrapping_key"), {OPERATOR}),
    (_op("POST transit/keys/sol-roles/config", {"deletion_allowed": True}), set()),
    (_op("POST transit/keys/sol-roles/config", {"exportable": True}), set()),
    (_op("POST transit/keys/sol-roles/config", {"min_encryption_version": 1}), set()),
    # No policy can tell this path from the key's own. It adds a version, and every signature names the
    # version that its address was made from.
    (_op("POST transit/keys/sol-roles/rotate"), {OPERATOR}),
    (_op("DELETE transit/keys/sol-roles"), set()),
    (_op("GET transit/export/signing-key/sol-roles"), set()),
    (_op("GET transit/export/encryption-key/airlock-envelopes"), set()),
    (_op("GET transit/backup/sol-roles"), set()),
    (_op("POST transit/restore/sol-roles", {"backup": TEXT}), set()),
    (_op("GET transit/byok-export/sol-roles/other"), set()),
    # Transit: the wrapping key and the key of the checkpoints.
    (_op("POST transit/decrypt/airlock-envelopes", {"ciphertext": "vault:v1:none"}), {SIGNER}),
    (
        _op("POST transit/encrypt/airlock-envelopes", {"plaintext": TEXT, "context": TEXT}),
        {ROTATOR, OPERATOR},
    ),
    (_op("POST transit/rewrap/airlock-envelopes", {"ciphertext": "vault:v1:none"}), {ROTATOR}),
    (_op("POST transit/keys/airlock-envelopes/rotate"), {ROTATOR}),
    (_op("POST transit/keys/airlock-envelopes/config", {"min_decryption_version": 1}), {ROTATOR}),
    (_op("POST transit/keys/airlock-envelopes/config", {"deletion_allowed": True}), set()),
    (_op("POST transit/keys/airlock-envelopes/config", {"exportable": True}), set()),
    (_op("POST transit/keys/airlock-envelopes/trim", {"min_available_version": 1}), set()),
    (_op("DELETE transit/keys/airlock-envelopes"), set()),
    (_op("POST transit/datakey/plaintext/airlock-envelopes"), set()),
    (_op("POST transit/hmac/airlock-envelopes", {"input": TEXT}), set()),
    (_op("GET transit/keys/airlock-envelopes"), {SIGNER, ROTATOR, OPERATOR, AUDITOR}),
    (_op("POST transit/sign/airlock-audit", {"input": TEXT}), {SIGNER}),
    (_op("GET transit/keys/airlock-audit"), {SIGNER, AUDITOR}),
    (_op("POST transit/keys/airlock-audit/rotate"), set()),
    (_op("POST transit/keys/airlock-audit/config", {"deletion_allowed": True}), set()),
    # KV: envelopes, successors, the trader's secrets.
    (_op("GET airlock/data/accounts/roles"), {SIGNER, ROTATOR, OPERATOR}),
    (_op("POST airlock/data/accounts/new-NAME", ENVELOPE), {ROTATOR, OPERATOR}),
    (_op("POST airlock/data/accounts/roles", ENVELOPE), {ROTATOR}),
    (_op("DELETE airlock/data/accounts/roles"), set()),
    (_op("DELETE airlock/metadata/accounts/roles"), set()),
    (_op("POST airlock/destroy/accounts/roles", {"versions": [1]}), set()),
    (_op("LIST airlock/metadata/accounts"), {ROTATOR, OPERATOR}),
    (_op("GET airlock/metadata/accounts/roles"), set()),
    (_op("GET airlock/data/successors/roles"), {SIGNER, ROTATOR}),
    (_op("POST airlock/data/successors/new-NAME", ENVELOPE), {ROTATOR}),
    (_op("POST airlock/data/successors/roles", ENVELOPE), set()),
    (_op("GET airlock/data/else"), set()),
    (_op("POST airlock/config", {"max_versions": 1}), set()),
    (_op("GET airlock-trader/data/database"), {TRADER}),
    (_op("POST airlock-trader/data/database", ENVELOPE), set()),
    (_op("LIST airlock-trader/metadata/"), set()),
    (_op("GET sys/internal/ui/mounts/airlock-trader"), {TRADER}),  # Vault tells who may use the mount
    # PKI.
    (_op("POST airlock-pki/sign/signer-server", {"csr": "none"}), {SIGNER}),
    (_op("POST airlock-pki/sign/trader-client", {"csr": "none"}), {TRADER}),
    (_op("POST airlock-pki/sign/admin-client", {"csr": "none"}), {OPERATOR}),
    (_op("POST airlock-pki/issue/signer-server", {"uri_sans": "spiffe://airlock.local/signer"}), set()),
    (_op("POST airlock-pki/sign-verbatim", {"csr": "none"}), set()),
    (_op("POST airlock-pki/root/generate/exported", {"common_name": "x"}), set()),
    (_op("DELETE airlock-pki/root"), set()),
    (_op("GET airlock-pki/roles/trader-client"), {AUDITOR}),
    (_op("LIST airlock-pki/roles"), {AUDITOR}),
    (_op("POST airlock-pki/roles/trader-client", {"allow_any_name": True}), set()),
    (_op("GET airlock-pki/config/crl"), {AUDITOR}),
    (_op("POST airlock-pki/config/crl", {"disable": True}), set()),
    (_op("LIST airlock-pki/certs"), {OPERATOR}),
    (_op("POST airlock-pki/revoke", {"serial_number": "00:01"}), {OPERATOR}),
    (_op("GET airlock-pki/cert/crl"), EVERYBODY),  # public in every Vault
    (_op("LIST airlock-pki/issuers"), EVERYBODY),  # …this too
    # Logins.
    (_op("POST auth/approle/role/airlock-signer/secret-id"), set()),
    (_op("POST auth/approle/role/airlock-signer/secret-id", wrap_s=60), {ROTATOR}),
    (_op("POST auth/approle/role/airlock-signer/secret-id", {"ttl": "9h"}, wrap_s=60), set()),
    (_op("POST auth/approle/role/airlock-trader/secret-id", wrap_s=60), {ROTATOR}),
    (_op("POST auth/approle/role/airlock-trader/secret-id"), set()),
    (_op("POST auth/approle/role/airlock-rotator/secret-id", wrap_s=60), {OPERATOR}),
    (_op("POST auth/approle/role/airlock-rotator/secret-id"), set()),
    (_op("POST auth/approle/role/airlock-signer/custom-secret-id", {"secret_id": "a"}, wrap_s=60), set()),
    (_op("GET auth/approle/role/airlock-signer/role-id"), {OPERATOR}),
    (_op("POST auth/approle/role/airlock-signer/role-id", {"role_id": "a"}), set()),
    (_op("GET auth/approle/role/airlock-signer"), {AUDITOR}),
    (_op("LIST auth/approle/role"), {AUDITOR}),
    (_op("POST auth/approle/role/airlock-signer", {"token_policies": ["airlock-operator"]}), set()),
    (_op("DELETE auth/approle/role/airlock-signer"), set()),
    (_op("LIST auth/approle/role/airlock-signer/secret-id"), {OPERATOR}),
    (
        _op("POST auth/approle/role/airlock-signer/secret-id-accessor/destroy", {"secret_id_accessor": "a"}),
        {OPERATOR},
    ),
    (_op("POST auth/token/revoke-accessor", {"accessor": "none"}), {OPERATOR}),
    (_op("GET auth/token/lookup-self"), EVERYBODY),
    (_op("POST auth/token/renew-self"), EVERYBODY),
    (_op("POST auth/token/create", {"policies": ["airlock-signer"]}), set()),
    (_op("POST auth/token/create-orphan", {"policies": ["airlock-signer"]}), set()),
    (_op("POST auth/token/lookup", {"token": "none"}), set()),
    (_op("LIST auth/token/accessors"), set()),
    # Vault itself.
    (_op("GET sys/audit"), {AUDITOR}),
    (_op("POST sys/audit/second", {"type": "file", "options": {"file_path": "discard"}}), set()),
    (_op("DELETE sys/audit/file"), set()),
    (_op("GET sys/mounts"), {AUDITOR}),
    (_op("POST sys/mounts/second", {"type": "transit"}), set()),
    (_op("DELETE sys/mounts/transit"), set()),
    (_op("POST sys/mounts/transit/tune", {"max_lease_ttl": "1h"}), set()),
    (_op("POST sys/remount", {"from": "transit", "to": "else"}), set()),
    (_op("GET sys/auth"), {AUDITOR}),
    (_op("POST sys/auth/userpass", {"type": "userpass"}), set()),
    (_op("LIST sys/policies/acl"), {AUDITOR}),
    (_op("GET sys/policies/acl/airlock-signer"), {AUDITOR}),
    (_op("POST sys/policies/acl/airlock-signer", {"policy": ""}), set()),
    (_op("DELETE sys/policies/acl/airlock-signer"), set()),
    (_op("POST sys/capabilities", {"token": "none", "paths": ["sys/seal"]}), set()),
    (_op("POST sys/wrapping/wrap", {"a": "b"}, wrap_s=60), set()),
    (_op("POST sys/leases/renew", {"lease_id": "none"}), set()),
    (_op("POST sys/leases/revoke-prefix/auth"), set()),
    (_op("GET sys/storage/raft/snapshot"), set()),
    (_op("GET sys/storage/raft/configuration"), set()),
    (_op("POST sys/rotate"), set()),
    (_op("POST sys/step-down"), set()),
    (_op("POST sys/seal"), set()),
    (_op("GET cubbyhole/a"), set()),
    (_op("POST identity/entity", {"name": "a"}), set()),
    (_op("POST auth/token/revoke-self"), EVERYBODY),  # last: the token is gone then
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="vault")
async def _vault() -> AsyncIterator[VaultServer]:
    # A server of its own: the rotator really rotates, and envelopes of no account stay behind.
    require("vault")
    async with VaultServer() as server:
        await lay_ground(server)
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="tokens")
async def _tokens(vault: VaultServer) -> Mapping[str, str]:
    for name in ("sol-roles", "other"):
        await vault.write(f"transit/keys/{name}", {"type": "ed25519"})
    for path in (
        "airlock/data/accounts/roles",
        "airlock/data/successors/roles",
        "airlock-trader/data/database",
    ):
        await vault.write(path, ENVELOPE)
    programs = {role: await login(vault, f"airlock-{role}") for role in sorted(APPROLES)}
    people = {
        role: await vault.token(f"airlock-{role}", no_default_policy=True) for role in (OPERATOR, AUDITOR)
    }
    return {**programs, **people}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_its_job_and_nothing_else(
    vault: VaultServer, tokens: Mapping[str, str], role: str
) -> None:
    allowed: list[str] = []
    denied: list[str] = []
    for operation, _may in OPERATIONS:
        reply = await _ask(vault, operation, role, tokens[role])
        (denied if reply.status == 403 else allowed).append(str(operation))

    assert allowed == [str(operation) for operation, may in OPERATIONS if role in may]
    assert len(allowed) + len(denied) == len(OPERATIONS)


async def test_no_token_of_a_program_carries_the_default_policy(vault: VaultServer) -> None:
    for role in sorted(APPROLES):
        token = await login(vault, f"airlock-{role}")

        assert (await vault.read("auth/token/lookup-self", token=token))["policies"] == [f"airlock-{role}"]


@pytest.mark.parametrize("role", ROLES)
async def test_every_path_of_a_policy_is_needed_by_an_operation_of_the_matrix(role: str) -> None:
    text = (FOLDER / "policies" / f"airlock-{role}.hcl").read_text(encoding="utf-8")
    paths = re.findall(r'^path "([^"]+)"', text, re.MULTILINE)
    used = [f"{each.path}{'/' if each.method == 'LIST' else ''}" for each, may in OPERATIONS if role in may]

    spare = [path for path in paths if not any(re.fullmatch(_pattern(path), each) for each in used)]

    assert spare == []


async def test_a_certificate_says_its_role_s_identity_or_is_not_signed(
    vault: VaultServer,
) -> None:
    token = await login(vault, "airlock-trader")
    uri = x509.UniformResourceIdentifier("spiffe://airlock.local/trader")
    admin = x509.UniformResourceIdentifier("spiffe://airlock.local/admin")

    good = await _signed(vault, token, [uri])
    wrong = [
        await _signed(vault, token, [admin]),
        await _signed(vault, token, [uri, admin]),
        await _signed(vault, token, [uri, x509.DNSName("signer")]),
        await _signed(vault, token, [uri, x509.IPAddress(ip_address("127.0.0.1"))]),
        await _signed(vault, token, [uri], common_name="admin"),
    ]

    assert good.status == 200, good.errors
    assert [reply.status for reply in wrong] == [400] * len(wrong)


async def _signed(
    vault: VaultServer, token: str, names: Sequence[x509.GeneralName], *, common_name: str = ""
) -> Reply:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    request = (
        x509.CertificateSigningRequestBuilder(subject_name=x509.Name(attributes))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(new_key(), hashes.SHA256())
    )
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    return await vault.request("POST", "airlock-pki/sign/trader-client", {"csr": csr}, token=token)


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\+", "[^/]+").replace(r"\*", ".*")


async def _ask(vault: VaultServer, operation: Operation, role: str, token: str) -> Reply:
    path = operation.path.replace("NAME", role)
    return await vault.request(
        operation.method, path, operation.body, token=token, wrap_ttl_s=operation.wrap_s
    )
