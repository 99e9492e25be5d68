"""A Ledger as the guardian's key: a person confirms what it says of a policy. Signs nothing else.

An Ethereum key signs a personal message, a Solana key an off-chain message: neither can be a transaction.
"""

from collections.abc import Sequence

from signer.adapters.device.owner import DeviceOwner, Ticket
from signer.adapters.device.states import DeviceState
from signer.adapters.ledger_device import ethereum, solana
from signer.adapters.ledger_device.application import Application, Key, KeyPlace
from signer.adapters.ledger_device.application import Path as DevicePath
from signer.adapters.ledger_device.backend import LedgerPlace
from signer.adapters.ledger_device.ethereum import ETHEREUM
from signer.adapters.ledger_device.paths import encode_path
from signer.adapters.ledger_device.places import opener
from signer.adapters.ledger_device.session import LedgerSession, Patience
from signer.adapters.ledger_device.solana import SOLANA
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName, parse_guardian
from signer.domain.policy_statement import GuardianSignature, PolicyStatement
from signer.ports.device import Screen, Watch
from signer.ports.events import EventLog

_APPLICATIONS = (("m/44'/60'", ETHEREUM), ("m/44'/501'", SOLANA))


class LedgerPolicySigner:
    """One key of one device (signer.ports.guardian.PolicySigner). Close it with `aclose`."""

    def __init__(
        self,
        device: LedgerPlace,
        path: str,
        *,
        log: EventLog,
        patience: Patience | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`watch` is told how far the signature is.

        Raises ConfigurationError for a path or a place that cannot be.
        """
        self._place = KeyPlace(path=DevicePath(encode_path(path)), application=_application(path))
        session = LedgerSession(
            opener(device.where), name=device.name, patience=patience or Patience(), log=log
        )
        self._owner = DeviceOwner(session, name=device.name, lock_file=device.lock_file)
        self._watch = watch

    @property
    def state(self) -> DeviceState:
        """Cached; asking touches no device."""
        return self._owner.state

    async def guardian(self) -> GuardianName:
        """The key at the path. Shows nothing."""
        address = await self._owner.run(lambda session, _: session.address(self._place))
        return parse_guardian(address if self._place.application is ETHEREUM else f"solana:{address}")

    def screens(self, statement: PolicyStatement, guardian: GuardianName) -> Sequence[Screen]:
        """The text, on as many screens as it needs. Neither application shows whose key it is."""
        del guardian
        return (Screen(title="Message", text=statement.text()),)

    async def sign_policy(self, statement: PolicyStatement, guardian: GuardianName) -> GuardianSignature:
        """Have a person confirm the statement; `guardian` is looked for again before it is shown."""
        key = Key(account=guardian, path=self._place.path, application=self._place.application)

        def sign(session: LedgerSession, ticket: Ticket) -> GuardianSignature:
            if key.application is ETHEREUM:
                return session.sign(ethereum.message_request(key, statement.text()), ticket)
            return session.sign(solana.message_request(key, statement.text()), ticket)

        return await self._owner.run(sign, self._watch)

    async def aclose(self) -> None:
        """Give up what is shown, close the device, let other processes have it."""
        await self._owner.aclose()


def _application(path: str) -> Application:
    for beginning, application in _APPLICATIONS:
        if path.startswith(f"{beginning}/"):
            return application
    allowed = " or ".join(f"{beginning}/ ({application.name})" for beginning, application in _APPLICATIONS)
    raise ConfigurationError(
        f"{path[:80]!r} leads to no key that signs policies; allowed are paths that begin with {allowed}"
    )
