"""`airlock-signer policy accept-signature FILE`: keeps a signature that was made elsewhere, into FILE.sig."""

from pathlib import Path

from signer.adapters.policy_signature_file import PolicySignatureFile, parse_signature
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import statement_to_sign
from signer.decode.evm.personal_message import personal_message_digest
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import parse_address
from signer.domain.errors import ConfigurationError
from signer.domain.policy_statement import PolicySignature
from signer.service.policy_signature import verify


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "accept-signature", help="keep what a wallet signed over the text of `policy message`, into FILE.sig"
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--address", required=True, metavar="0x…", help="whose signature it should be")
    parser.add_argument("--signature", required=True, metavar="0x…", help="r, s and v: 130 hex digits")
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    statement = statement_to_sign(path)
    try:
        expected = parse_address(arguments.address)
        signature = parse_signature(arguments.signature.lower())
        actual = recover_address(personal_message_digest(statement.text()), signature)
    except ValueError as error:
        raise ConfigurationError(f"signature of {path}: {error}") from None
    if actual != expected:
        raise ConfigurationError(
            f"signature of {path}: of {actual}, if it is over this text at all: {statement.text()}"
        )
    signed = PolicySignature(statement=statement, address=actual, signature=signature)
    beside = PolicySignatureFile(path)
    verify(signed, statement, beside.name)
    beside.write(signed)
    print(f"{beside.name}: signed by {actual}")
    return ExitCode.OK
