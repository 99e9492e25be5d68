"""`airlock-signer audit verify FILE`: finds a changed, missing or reordered record. Repairs nothing."""

import json
from pathlib import Path

from signer.adapters.audit_file.verify import verify
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    audit = subparsers.add_parser("audit", help="judge an audit file")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("verify", help="follow its chain of hashes from the first record to the last")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    as_json: bool = arguments.json
    report = verify(path)
    problem = report.problem
    if as_json:
        found = None if problem is None else {"line": problem.line, "why": problem.why}
        print(json.dumps({"records": report.records, "head_hash": report.head_hash, "problem": found}))
    elif problem is None:
        print(f"{path}: {report.records} records, the chain is whole; head {report.head_hash}")
    else:
        print(f"{path}:{problem.line}: {problem.why} ({report.records} records before it are sound)")
    return ExitCode.OK if problem is None else ExitCode.FINDINGS
