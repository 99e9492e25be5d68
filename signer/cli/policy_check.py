"""`airlock-signer policy check FILE`: parses a policy and refuses what fails open, with line and reason."""

import json
from pathlib import Path

from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.domain.errors import ConfigurationError
from signer.policy.document import parse
from signer.policy.fail_open import check


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    policy = subparsers.add_parser("policy", help="judge a policy file")
    actions = policy.add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("check", help="parse it and refuse what fails open")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    as_json: bool = arguments.json
    policy = parse(_read(path), str(path))
    findings = check(policy)
    if as_json:
        rows = [{"line": each.line, "key": each.key, "problem": each.problem} for each in findings]
        print(json.dumps({"policy_hash": policy.hash, "accounts": len(policy.accounts), "findings": rows}))
    else:
        for finding in findings:
            print(f"{path}: {finding}")
        if not findings:
            print(f"{path}: {len(policy.accounts)} accounts, nothing fails open; hash {policy.hash}")
    return ExitCode.FINDINGS if findings else ExitCode.OK


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; a policy file is allowed"
        ) from error
