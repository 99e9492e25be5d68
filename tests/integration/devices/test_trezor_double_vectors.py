"""The double through the unmodified library, over both of its wires, against what real firmware signed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from trezorlib import messages
from trezorlib.client import AppManifest
from trezorlib.tools import parse_path
from trezorlib.transport.udp import UdpTransport

from signer.adapters.trezor_device import library
from signer.mock.devices.trezor.device import TrezorDevice
from signer.mock.devices.trezor.flavour import MODEL_ONE, MODEL_T, SAFE_3, SAFE_7, Flavour
from signer.mock.devices.trezor.thp.wire import ThpWire
from signer.mock.devices.trezor.udp import UdpServer
from signer.mock.devices.trezor.usb import UsbPort
from signer.mock.devices.trezor.wires import Wire
from tests.integration.devices.trezor_rig import credential_for
from tests.integration.devices.trezor_vectors import (
    EthereumVector,
    ethereum_vectors,
    fields_of,
    require_vectors,
    solana_vectors,
)

ETHEREUM_COUNT, SOLANA_COUNT = 64, 45


@pytest.fixture(params=["usb", "udp"])
def wire(request: pytest.FixtureRequest) -> str:
    require_vectors()
    return str(request.param)


@pytest.mark.parametrize("flavour", [MODEL_ONE, MODEL_T, SAFE_3, SAFE_7], ids=lambda each: each.name)
def test_all_ethereum_vectors_are_reproduced_byte_for_byte(wire: str, flavour: Flavour) -> None:
    vectors, equal = ethereum_vectors(), 0

    for mnemonic in {vector["mnemonic"] for vector in vectors}:
        with _session(wire, TrezorDevice(mnemonic=mnemonic, flavour=flavour)) as session:
            for vector in (each for each in vectors if each["mnemonic"] == mnemonic):
                path = parse_path(vector["path"])
                address = library.ethereum_address(session, path, show_display=False)
                assert address == vector["address"], vector["name"]
                assert _signature(session, vector) == fields_of(vector).signature, vector["name"]
                equal += 1

    assert equal == len(vectors) == ETHEREUM_COUNT


@pytest.mark.parametrize("flavour", [MODEL_T, SAFE_3, SAFE_7], ids=lambda each: each.name)
def test_all_solana_vectors_are_reproduced_byte_for_byte(wire: str, flavour: Flavour) -> None:
    vectors, equal = solana_vectors(), 0

    for mnemonic in {vector["mnemonic"] for vector in vectors}:
        with _session(wire, TrezorDevice(mnemonic=mnemonic, flavour=flavour)) as session:
            for vector in (each for each in vectors if each["mnemonic"] == mnemonic):
                path, message = parse_path(vector["path"]), bytes.fromhex(vector["message_hex"])
                assert library.solana_address(session, path, show_display=False) == vector["address"]
                signature = library.sign_solana(session, path, message, None)
                assert signature.hex() == vector["signature_hex"], vector["description"]
                equal += 1

    assert equal == len(vectors) == SOLANA_COUNT


def _signature(session: library.Session, vector: EthereumVector) -> tuple[int, int, int]:
    path, fields = parse_path(vector["path"]), fields_of(vector)
    if fields.gas_price is not None:
        v, r, s = library.sign_legacy(
            session, path, nonce=fields.nonce, gas_price=fields.gas_price, gas_limit=fields.gas_limit,
            to=fields.to, value=fields.value, data=fields.data, chain_id=vector["chain_id"],
        )  # fmt: skip
    else:
        access = [
            messages.EthereumAccessList(address=address, storage_keys=list(keys))
            for address, keys in fields.access_list
        ]
        v, r, s = library.sign_eip1559(
            session, path, nonce=fields.nonce, gas_limit=fields.gas_limit, to=fields.to, value=fields.value,
            data=fields.data, chain_id=vector["chain_id"], max_gas_fee=fields.max_gas_fee,
            max_priority_fee=fields.max_priority_fee, access_list=access,
        )  # fmt: skip
    return v, int.from_bytes(r, "big"), int.from_bytes(s, "big")


@contextmanager
def _session(wire: str, device: TrezorDevice) -> Iterator[library.Session]:
    if wire == "usb":
        port = UsbPort(device, instant=True)
        yield library.get_client(_app(port.wire), port.find()).get_session("")
    else:
        with UdpServer(device) as server:
            transport = UdpTransport.find_by_path(f"udp:{server.address}")
            yield library.get_client(_app(server.wire), transport).get_session("")


def _app(wire: Wire) -> AppManifest:
    credentials = [credential_for(wire)] if isinstance(wire, ThpWire) else []
    return AppManifest(app_name="airlock tests", credentials=credentials)
