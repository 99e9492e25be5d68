"""`airlock-signer policy accept-signature FILE`: keeps a signature that was made elsewhere, into FILE.sig."""

from pathlib import Path

from signer.adapters.policy_signature_file import PolicySignatureFile, parse_signature
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.read import statement_to_sign
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import parse_guardian
from signer.domain.policy_statement import PolicySignature
from signer.service.policy_signature import verify


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "accept-signature", help="keep what a wallet signed over the text of `policy message`, into FILE.sig"
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--address", required=True, metavar="0x…|solana:…", help="whose signature it should be"
    )
    parser.add_argument(
        "--signature", required=True, metavar="0x…", help="r, s and v; of Solana the 64 bytes; in hex"
    )
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    statement = statement_to_sign(path)
    try:
        signer = parse_guardian(arguments.address)
        signature = parse_signature(arguments.signature.lower(), signer)
    except ValueError as error:
        raise ConfigurationError(f"signature of {path}: {error}") from None
    signed = PolicySignature(statement=statement, signer=signer, signature=signature)
    verify(signed, statement, f"signature of {path} (its text: {statement.text()})")
    beside = PolicySignatureFile(path)
    beside.write(signed)
    print(f"{beside.name}: signed by {signer}")
    return ExitCode.OK
