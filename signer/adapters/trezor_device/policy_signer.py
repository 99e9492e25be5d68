"""A Trezor as the guardian's key: a person confirms what it says of a policy. Signs nothing else.

An Ethereum key only: the firmware knows no off-chain message of Solana.
"""

from collections.abc import Callable, Sequence

from trezorlib.transport import Transport

from signer.adapters.device.owner import DeviceOwner, Ticket
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.device import TrezorDevice, TrezorKey, steps_of
from signer.adapters.trezor_device.places import finder
from signer.adapters.trezor_device.request import Request
from signer.adapters.trezor_device.session import TrezorSession
from signer.decode.evm.eip55 import checksummed
from signer.decode.evm.personal_message import personal_message_digest
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import AccountId, address_of
from signer.domain.errors import BrokenError, PreconditionError
from signer.domain.guardian import GuardianName, parse_guardian
from signer.domain.policy_statement import PolicyStatement
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature
from signer.ports.device import Screen, Watch

MESSAGE_MAX = 1_024
"""Longest message that we send: the most that Model One takes."""

_SOLANA = "m/44'/501'"
_SCREENS = 2
"""Address and message on core firmware; Model One shows one for each 72 letters."""

_SIGNATURE_BYTES = 65
_V = (27, 28)
"""Parity 0 and 1."""


class TrezorPolicySigner:
    """One Ethereum key of one device (signer.ports.guardian.PolicySigner). Close it with `aclose`."""

    def __init__(
        self,
        device: TrezorDevice,
        path: str,
        *,
        find: Callable[[], Transport] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`watch` is told each screen; `find` as the backend's.

        Raises ConfigurationError for a path that is none, and PreconditionError for one of a Solana key.
        """
        self._steps = steps_of(path)
        if path.startswith(_SOLANA):
            text = (
                f"{path}: the firmware of a Trezor signs no off-chain messages with a Solana key: take an "
                "Ethereum key (m/44'/60'/0'/0/0), or a Ledger"
            )
            raise PreconditionError(FailReason.DEVICE_REFUSES, text)
        self._path = path
        session = TrezorSession(device, find or finder(device.where))
        self._owner = DeviceOwner(session, name=f"the Trezor at {device.where}", lock_file=device.lock_file)
        self._watch = watch

    async def guardian(self) -> GuardianName:
        """The key at the path. Shows nothing but the PIN and passphrase screens of a locked device."""
        address = await self._owner.run(
            lambda session, ticket: session.ask(ticket, self._address), self._watch
        )
        return parse_guardian(address)

    def screens(self, statement: PolicyStatement, guardian: GuardianName) -> Sequence[Screen]:
        """The key's address, then the text, on as many pages as it needs. Model One shows the text only."""
        address = Screen(title="Address", text=checksummed(guardian))
        return (address, Screen(title="Message", text=statement.text()))

    async def sign_policy(self, statement: PolicyStatement, guardian: GuardianName) -> EvmSignature:
        """Have a person confirm the statement; `guardian` is looked for again before it is shown."""
        text = statement.text()
        if not text.isascii() or not text.isprintable() or not 0 < len(text) <= MESSAGE_MAX:
            problem = (
                f"a Trezor takes 1 to {MESSAGE_MAX} letters of printable ASCII; the text has {len(text)}"
            )
            raise PreconditionError(FailReason.DEVICE_REFUSES, problem)
        # A personal message belongs to no chain: the session compares the address only.
        key = TrezorKey(account=AccountId(f"eip155:1:{guardian}"), path=self._path)

        def ask(wallet: library.Session, request: Request) -> EvmSignature:
            return _ask(wallet, request, key, text)

        def sign(session: TrezorSession, ticket: Ticket) -> EvmSignature:
            return session.sign(ticket, key, ask)

        return await self._owner.run(sign, self._watch)

    async def aclose(self) -> None:
        """End what the person has before them, and let go of the device."""
        await self._owner.aclose()

    def _address(self, wallet: library.Session, _: Request) -> str:
        return library.ethereum_address(wallet, self._steps, show_display=False)


def _ask(wallet: library.Session, request: Request, key: TrezorKey, text: str) -> EvmSignature:
    """Raises BrokenError for a signature that is not of this key over our own digest."""
    request.ask(screens=_SCREENS)
    answer = library.sign_message(wallet, key.steps, text.encode())
    try:
        signature = _read(answer.signature, key, personal_message_digest(text))
    except ValueError as error:
        problem = (
            f"the Trezor answered with a signature that is not of this request ({error}); it is destroyed"
        )
        raise BrokenError(FailReason.SIGNATURE_INVALID, problem) from None
    request.confirm()
    return signature


def _read(raw: bytes, key: TrezorKey, digest: bytes) -> EvmSignature:
    if len(raw) != _SIGNATURE_BYTES or raw[-1] not in _V:
        raise ValueError("it is none of a personal message")
    signature = EvmSignature(
        r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:64], "big"), y_parity=_V.index(raw[-1])
    )
    signer = recover_address(digest, signature)
    if signer != address_of(key.account):
        raise ValueError(f"it is of {signer} over our digest")
    return signature
