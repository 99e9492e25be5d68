"""The double against every exchange that was recorded with the real applications."""

import pytest

from signer.mock.devices.ledger.device import LedgerDevice
from signer.mock.devices.ledger.person import APPROVE, REJECT, always
from signer.mock.devices.ledger.server import LedgerServer
from tests.integration.devices.ledger_vectors import Exchange, blind_signing, exchanges
from tests.integration.devices.ledger_wire import PlainClient

_CONFIG = {"Ethereum": "e006000000", "Solana": "e004000000"}


@pytest.mark.parametrize(("application", "count"), [("Ethereum", 59), ("Solana", 36)])
def test_every_recorded_exchange_is_answered_byte_for_byte(application: str, count: int) -> None:
    recorded = exchanges(application)
    device = LedgerDevice(app=application)

    with LedgerServer(device) as server, PlainClient(server.port) as client:
        answers = [_play(device, client, each, _CONFIG[application]) for each in recorded]

    assert answers == [each["response"] for each in recorded]
    assert len(answers) == count


def _play(device: LedgerDevice, client: PlainClient, each: Exchange, config: str) -> str:
    device.person = always(REJECT if each["case"].startswith("rejected") else APPROVE)
    if each["apdu"] == config:  # the setting is what the recording shows from here on
        device.blind(on=blind_signing(each["response"]))
    return client.ask(bytes.fromhex(each["apdu"])).hex()
