"""`airlock-signer policy sign FILE`: the guardian's signature in FILE.sig. Signs nothing that fails open."""

import asyncio
from pathlib import Path

from signer.adapters.dev_key.backend import LOCAL_CHAINS
from signer.adapters.dev_key.derivation import ethereum_key
from signer.adapters.dev_key.key_file import read_key_file
from signer.adapters.dev_key.policy_signer import DevPolicySigner
from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import statement_to_sign
from signer.domain.errors import ConfigurationError
from signer.domain.policy_statement import PolicyStatement
from signer.ports.guardian import PolicySigner
from signer.service.policy_signature import sign_policy


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("sign", help="sign it for the guardian, into FILE.sig")
    parser.add_argument("file", metavar="FILE", type=Path)
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument("--key-file", type=Path, help="0600 file of 64 hex digits, on a host without a network")
    key.add_argument(
        "--mnemonic-index", type=int, choices=range(10), help="a public test account; local chains only"
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    statement = statement_to_sign(path)
    signed = asyncio.run(sign_policy(_signer(arguments, statement), statement))
    beside = PolicySignatureFile(path)
    beside.write(signed)
    print(f"{statement.text()}\n{beside.name}: signed by {signed.signer}")
    return ExitCode.OK


def _signer(arguments: Arguments, statement: PolicyStatement) -> PolicySigner:
    key_file: Path | None = arguments.key_file
    if key_file is not None:
        return DevPolicySigner(read_key_file(key_file))
    index: int = arguments.mnemonic_index
    if real := sorted(set(statement.chains) - LOCAL_CHAINS):
        raise ConfigurationError(
            f"{arguments.file}: everybody knows the key of --mnemonic-index: no policy for {real[0]}, "
            f"allowed are {', '.join(sorted(LOCAL_CHAINS))}"
        )
    return DevPolicySigner(ethereum_key(index))
