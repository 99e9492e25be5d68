"""`airlock-signer policy sign FILE`: the guardian's signature in FILE.sig. Signs nothing that fails open."""

import argparse
import asyncio
import sys
from pathlib import Path

from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.cli.command import Arguments, Subparsers
from signer.cli.devices.which import add_details, add_places
from signer.cli.exit_codes import ExitCode
from signer.cli.policy.key import key_signer
from signer.cli.policy.on_device import device_signer
from signer.cli.policy.read import read_guardian, statement_to_sign
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import PolicySignature, PolicyStatement
from signer.ports.guardian import PolicySigner
from signer.service.policy_signature import sign_policy
from signer.settings import load

_LONGEST_S = 600


def add_to(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser("sign", help="sign it for the guardian, into FILE.sig")
    parser.add_argument("file", metavar="FILE", type=Path)
    key = parser.add_mutually_exclusive_group(required=True)
    add_places(key)
    key.add_argument("--device", dest="name", metavar="NAME", help="a device that --settings has")
    key.add_argument("--key-file", type=Path, help="0600 file of 64 hex digits, on a host without a network")
    key.add_argument(
        "--mnemonic-index", type=int, choices=range(10), help="a public test account; local chains only"
    )
    parser.add_argument(
        "--path",
        metavar="PATH",
        help="of the key on the device: m/44'/60'/0'/0/0, or of Solana m/44'/501'/0'/0'",
    )
    parser.add_argument(
        "--guardian", metavar="0x…|solana:…", help="whose key it must be; by default as --settings has it"
    )
    parser.add_argument(
        "--timeout-s", metavar="SECONDS", type=_seconds, default=120, help="how long a person may take"
    )
    parser.add_argument(
        "--credentials", metavar="FILE", type=Path, help="of a paired Safe 7, without --settings"
    )
    add_details(parser)
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    path: Path = arguments.file
    statement, guardian = statement_to_sign(path), _guardian(arguments)
    try:
        signed = asyncio.run(_sign(arguments, statement, guardian))
    except KeyboardInterrupt:
        # Other commands may end so and be done; a script must not go on as if there were a signature.
        print("airlock-signer: given up; nothing was signed", file=sys.stderr)
        return ExitCode.REFUSED
    beside = PolicySignatureFile(path)
    beside.write(signed)
    print(f"{beside.name}: signed by {signed.signer}")
    return ExitCode.OK


async def _sign(
    arguments: Arguments, statement: PolicyStatement, guardian: GuardianName | None
) -> PolicySignature:
    if arguments.key_file is not None or arguments.mnemonic_index is not None:
        return await _signed(key_signer(arguments, statement), statement, guardian)
    async with device_signer(arguments) as signer:
        return await _signed(signer, statement, guardian)


async def _signed(
    signer: PolicySigner, statement: PolicyStatement, guardian: GuardianName | None
) -> PolicySignature:
    print(statement.text(), flush=True)

    def announce(holder: GuardianName) -> None:
        screens = signer.screens(statement, holder)
        if not screens:
            return
        print(
            f"The key is {holder}. The device shows what follows: compare it, letter by letter, then confirm"
        )
        for screen in screens:
            print(f"  {screen.title}: {screen.text}", flush=True)

    return await sign_policy(signer, statement, guardian=guardian, announce=announce)


def _guardian(arguments: Arguments) -> GuardianName | None:
    named = read_guardian(arguments.guardian)
    if named is not None or arguments.settings is None:
        return named
    return load(arguments.settings).policy_guardian


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text[:20]!r}: 1 to {_LONGEST_S} are allowed")
    return int(text)
