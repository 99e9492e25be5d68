"""`airlock-signer pause | resume | reload-policy | reconcile-nonces`: an operator's requests."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from signer.api.admin_client import AdminClient, AdminIdentity, admin_client
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode

Result: TypeAlias = dict[str, object]
Action: TypeAlias = Callable[[AdminClient, Arguments], Awaitable[Result]]


def add_to(subparsers: Subparsers) -> None:
    """Add the four commands."""
    pause = add_operator_command(subparsers, "pause", "stop signing, for one account or for all", _pause)
    pause.add_argument("--account", default="", help="CAIP-10; all when left out")
    pause.add_argument("--reason", default="", help="for the record and the clients, at most 200 characters")
    resume = add_operator_command(subparsers, "resume", "sign again", _resume)
    resume.add_argument("--account", default="", help="CAIP-10; all when left out")
    reload_policy = add_operator_command(
        subparsers, "reload-policy", "read the policy file again, whole or not at all", _reload
    )
    reload_policy.add_argument("--dry-run", action="store_true", help="parse and check only")
    reconcile = add_operator_command(
        subparsers, "reconcile-nonces", "compare the ledger's nonces with the chain's", _reconcile
    )
    reconcile.add_argument("--account", required=True, help="CAIP-10")
    reconcile.add_argument(
        "--apply", action="store_true", help="take the chain's count over where that is safe"
    )


def add_operator_command(
    subparsers: Subparsers, name: str, what: str, action: Action
) -> argparse.ArgumentParser:
    """Add a command that asks the Admin service of a running signer."""
    parser = subparsers.add_parser(name, help=what)
    add_access(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=lambda arguments: _run(parser, action, arguments))
    return parser


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add where the signer is and who asks; `identity_of` reads it."""
    parser.add_argument("--address", required=True, metavar="HOST:PORT", help="admin_listen of the signer")
    parser.add_argument(
        "--pki", type=Path, metavar="DIR", help="folder of dev-pki, instead of the next three"
    )
    parser.add_argument("--certificate", type=Path, help="PEM of a client with the admin role")
    parser.add_argument("--key", type=Path, help="its key")
    parser.add_argument("--ca", type=Path, help="authority of the signer's certificate")


def identity_of(parser: argparse.ArgumentParser, arguments: Arguments) -> AdminIdentity:
    """Files of the operator; ends the program when they are not given."""
    pki: Path | None = arguments.pki
    if pki is not None:
        return AdminIdentity(certificate=pki / "admin.pem", key=pki / "admin.key", server_ca=pki / "ca.pem")
    if not (arguments.certificate and arguments.key and arguments.ca):
        parser.error("--pki DIR, or all of --certificate, --key and --ca, are required")
    return AdminIdentity(certificate=arguments.certificate, key=arguments.key, server_ca=arguments.ca)


def _run(parser: argparse.ArgumentParser, action: Action, arguments: Arguments) -> int:
    identity = identity_of(parser, arguments)
    address: str = arguments.address
    result = asyncio.run(_ask(address, identity, action, arguments))
    as_json: bool = arguments.json
    if as_json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name.replace('_', ' ')}: {value if value not in ([], '') else 'none'}")
    return ExitCode.FINDINGS if result.get("findings") and not result.get("applied") else ExitCode.OK


async def _ask(address: str, identity: AdminIdentity, action: Action, arguments: Arguments) -> Result:
    async with admin_client(address, identity) as client:
        return await action(client, arguments)


async def _pause(client: AdminClient, arguments: Arguments) -> Result:
    return {"paused_accounts": list(await client.pause(arguments.account, arguments.reason))}


async def _resume(client: AdminClient, arguments: Arguments) -> Result:
    return {"paused_accounts": list(await client.resume(arguments.account))}


async def _reload(client: AdminClient, arguments: Arguments) -> Result:
    before, after = await client.reload_policy(dry_run=arguments.dry_run)
    return {"previous_policy_hash": before, "policy_hash": after}


async def _reconcile(client: AdminClient, arguments: Arguments) -> Result:
    report = await client.reconcile_nonces(arguments.account, apply=arguments.apply)
    return {
        "chain_nonce_latest": report.chain_nonce_latest,
        "chain_nonce_finalized": report.chain_nonce_finalized,
        "ledger_next_nonce": report.ledger_next_nonce,
        "free_nonces": list(report.free_nonces),
        "findings": list(report.findings),
        "applied": report.applied,
    }
