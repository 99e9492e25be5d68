"""`airlock-signer rotate certificates`: a new server certificate now, or the first one of a client."""

import asyncio
import json
from pathlib import Path

from cryptography import x509

from signer.adapters.pki.certificate_pair import replace_pair
from signer.adapters.vault.pki import CertificateWanted, issue
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.vault_access import add_access, person_vault
from signer.domain.errors import ConfigurationError
from signer.settings import load
from signer.vault_access import server_certificate


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "certificates",
        help="a new certificate out of Vault's PKI; the running signer takes it over without dropping a call",
        description="Without --client it makes the certificate of [tls.vault] anew, which the signer does by "
        "itself, too, at two thirds of its life. With --client it makes one for a trader or an admin.",
    )
    add_access(parser)
    parser.add_argument(
        "--client", metavar="URI", default="", help="the URI SAN of a client, for example spiffe://…/admin"
    )
    parser.add_argument("--role", default="", help="PKI role of the client, for example admin-client")
    parser.add_argument("--mount", default="airlock-pki", help="PKI mount of the client; default airlock-pki")
    parser.add_argument("--ttl", type=int, default=86_400, metavar="S", help="life of the client's; a day")
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="where the client's certificate goes"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="where its key goes")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    return asyncio.run(_renew(arguments))


async def _renew(arguments: Arguments) -> ExitCode:
    wanted, certificate, key = _wanted(arguments)
    as_json: bool = arguments.json
    async with person_vault(arguments) as (vault, _place):
        issued = await issue(vault, wanted)
    replace_pair(certificate, key, issued)
    made = x509.load_pem_x509_certificate(issued.certificate)
    answer = {
        "uri": wanted.uri,
        "file": str(certificate),
        "serial": f"{made.serial_number:x}",
        "ends": made.not_valid_after_utc.isoformat(),
    }
    if as_json:
        print(json.dumps(answer))
    else:
        for name, value in answer.items():
            print(f"{name}: {value}")
    return ExitCode.OK


def _wanted(arguments: Arguments) -> tuple[CertificateWanted, Path, Path]:
    uri: str = arguments.client
    if not uri:
        return _servers(arguments.config)
    certificate: Path | None = arguments.certificate
    key: Path | None = arguments.key
    role: str = arguments.role
    if certificate is None or key is None or not role:
        raise ConfigurationError("--client needs --role, --certificate and --key")
    wanted = CertificateWanted(
        mount=arguments.mount,
        role=role,
        common_name=uri.rstrip("/").rpartition("/")[2],
        uri=uri,
        hosts=(),
        ttl_s=arguments.ttl,
    )
    return wanted, certificate, key


def _servers(config: Path) -> tuple[CertificateWanted, Path, Path]:
    tls = load(config).tls
    wanted = server_certificate(tls)
    if wanted is None:
        raise ConfigurationError(f"{config}: has no [tls.vault]; it says which certificate the signer has")
    return wanted, tls.certificate, tls.key
