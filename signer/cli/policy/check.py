"""`airlock-signer policy check FILE`: parses a policy, refuses what fails open, and says who signed it."""

import asyncio
import json
from pathlib import Path

from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import read_guardian, read_policy
from signer.domain.errors import ConfigurationError
from signer.policy.document import parse
from signer.policy.fail_open import check
from signer.policy.model import Policy
from signer.policy.surroundings import check_fit
from signer.service.policy_signature import require_signed, statement_of, verify
from signer.settings import load, surroundings_of


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("check", help="parse it, refuse what fails open, look at its signature")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--settings", metavar="signer.toml", type=Path, help="whether it fits these, too")
    parser.add_argument("--guardian", metavar="0x…|solana:…", help="who must have signed it")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    as_json: bool = arguments.json
    policy = parse(read_policy(path), str(path))
    settings: Path | None = arguments.settings
    findings = check(policy)
    if settings is not None:
        findings += check_fit(policy, surroundings_of(load(settings)))
    signed_by, problem = _signature(policy, path, arguments.guardian)
    if as_json:
        rows = [{"line": each.line, "key": each.key, "problem": each.problem} for each in findings]
        summary = {"policy_hash": policy.hash, "accounts": len(policy.accounts), "serial": policy.serial}
        signature = {"signed_by": signed_by, "problem": problem}
        print(json.dumps({**summary, "findings": rows, "signature": signature}))
    else:
        for finding in findings:
            print(f"{path}: {finding}")
        if not findings:
            print(f"{path}: {len(policy.accounts)} accounts, nothing fails open; hash {policy.hash}")
        print(problem or (f"signed by {signed_by}, serial {policy.serial}" if signed_by else "not signed"))
    return ExitCode.FINDINGS if findings or problem else ExitCode.OK


def _signature(policy: Policy, path: Path, guardian: str | None) -> tuple[str | None, str | None]:
    """Who signed, and what is wrong with that. A missing signature is wrong only if a guardian is named."""
    try:
        return asyncio.run(_signed_by(policy, path, guardian)), None
    except ConfigurationError as error:
        return None, str(error)


async def _signed_by(policy: Policy, path: Path, guardian: str | None) -> str | None:
    beside, wanted = PolicySignatureFile(path), read_guardian(guardian)
    if wanted is not None:
        await require_signed(policy, str(path), beside, wanted)
        return wanted
    signed = await beside.read()
    if signed is not None:
        verify(signed, statement_of(policy, str(path)), beside.name)
    return None if signed is None else signed.signer
