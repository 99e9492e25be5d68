"""`airlock-signer audit verify FILE`: finds a changed, missing or reordered record. Repairs nothing.

With checkpoints it finds a file that was cut or written anew, too.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from signer.adapters.audit_file.checkpoint_file import checkpoint_path
from signer.adapters.audit_file.public_keys import PublicKeys, load
from signer.adapters.audit_file.verify import Problem, VerifyReport, verify
from signer.adapters.audit_file.verify_checkpoints import CheckpointReport, verify_checkpoints
from signer.adapters.system_clock import SystemClock
from signer.cli.audit_public_key import read_public_keys
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.domain.checkpoints import Rhythm
from signer.domain.errors import ConfigurationError

_FROM_VAULT = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """`checkpoints` is None when there are none and nobody asked for them."""

    chain: VerifyReport
    checkpoints: CheckpointReport | None


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "verify",
        help="follow its chain of hashes from the first record to the last, and its signed checkpoints",
        description="Follows the chain. Checkpoints beside the file, or given by --checkpoints, are compared "
        "with it; with --public-key their signatures are checked, too. Take that key from a file that you "
        "keep elsewhere, or from Vault: whoever can rewrite the audit file can rewrite what lies beside it.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--checkpoints", metavar="FILE", type=Path, help="default: FILE.checkpoints, if it is there"
    )
    parser.add_argument(
        "--public-key",
        metavar="FILE|vault",
        help="what `audit public-key` wrote; or vault, with --config and --token-file",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="signer.toml, for --public-key vault")
    parser.add_argument("--token-file", metavar="FILE|FD", help="an auditor's token, for --public-key vault")
    rhythm = Rhythm()
    parser.add_argument("--every-records", metavar="N", type=int, default=rhythm.every_records)
    parser.add_argument("--every-s", metavar="SECONDS", type=int, default=rhythm.every_s)
    parser.add_argument(
        "--accept-gaps", action="store_true", help="late checkpoints are explained (an outage of Vault)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    as_json: bool = arguments.json
    accept_gaps: bool = arguments.accept_gaps
    chain = verify(path)
    found = _Found(chain=chain, checkpoints=_checkpoints(path, chain, arguments))
    print(json.dumps(_row(found)) if as_json else _text(path, found))
    return ExitCode.OK if _is_fine(found, accept_gaps=accept_gaps) else ExitCode.FINDINGS


def _checkpoints(path: Path, chain: VerifyReport, arguments: Arguments) -> CheckpointReport | None:
    given: Path | None = arguments.checkpoints
    place = given or checkpoint_path(path)
    keys = _public_keys(arguments)
    if keys is None and given is None and not place.exists():
        return None
    return verify_checkpoints(
        path,
        place,
        keys,
        records=chain.records,
        rhythm=Rhythm(every_records=arguments.every_records, every_s=arguments.every_s),
        now=SystemClock().now(),
    )


def _public_keys(arguments: Arguments) -> PublicKeys | None:
    given: str | None = arguments.public_key
    if given is None:
        return None
    if given != _FROM_VAULT:
        return load(Path(given))
    if arguments.config is None or arguments.token_file is None:
        raise ConfigurationError("--public-key vault needs --config signer.toml and --token-file FILE|FD")
    return asyncio.run(read_public_keys(arguments))


def _is_fine(found: _Found, *, accept_gaps: bool) -> bool:
    report = found.checkpoints
    if found.chain.problem is not None:
        return False
    return report is None or (report.problem is None and (accept_gaps or not report.gaps))


def _row(found: _Found) -> dict[str, object]:
    chain, report = found.chain, found.checkpoints
    row: dict[str, object] = {
        "records": chain.records,
        "head_hash": chain.head_hash,
        "problem": _problem(chain.problem),
    }
    if report is not None:
        row["checkpoints"] = {
            "sound": report.sound,
            "covered": report.covered,
            "uncovered": report.uncovered,
            "signatures_checked": report.signed,
            "problem": _problem(report.problem),
            "gaps": [
                {"first": gap.first, "last": gap.last, "late_s": gap.late_s, "covered": gap.covered}
                for gap in report.gaps
            ],
        }
    return row


def _problem(problem: Problem | None) -> dict[str, object] | None:
    return None if problem is None else {"line": problem.line, "why": problem.why}


def _text(path: Path, found: _Found) -> str:
    chain = found.chain
    if chain.problem is None:
        lines = [f"{path}: {chain.records} records, the chain is whole; head {chain.head_hash}"]
    else:
        place = f"{path}:{chain.problem.line}"
        lines = [f"{place}: {chain.problem.why} ({chain.records} records before it are sound)"]
    if found.checkpoints is None:
        return lines[0]
    report = found.checkpoints
    checked = "" if report.signed else "; SIGNATURES NOT CHECKED: no --public-key"
    lines.append(
        f"{report.sound} checkpoints are sound and cover records up to {report.covered}, "
        f"{report.uncovered} records follow{checked}"
    )
    if report.problem is not None:
        lines.append(f"checkpoint {report.problem.line}: {report.problem.why}")
    lines += [
        f"gap: records {gap.first} to {gap.last} "
        + (f"were covered {gap.late_s} s after the first of them" if gap.covered else "are not covered")
        for gap in report.gaps
    ]
    return "\n".join(lines)
