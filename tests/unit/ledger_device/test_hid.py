"""The USB framing over a stand-in for the library `hid`: no metal here, but every packet."""

from collections import deque

import hid
import pytest

from signer.adapters.ledger_device.hid import HidTransport, path_of_serial
from signer.adapters.ledger_device.transport import TransportGoneError


class Handle:
    """What `hid.device()` is: packets out and in."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.packets: deque[bytes | OSError] = deque()
        self.opened: list[bytes] = []
        self.absent = False
        self.nameless = False
        self.deaf = False

    def open_path(self, path: bytes) -> None:
        self.opened.append(path)
        if self.absent:
            raise OSError(f"open failed {path!r}")

    def get_product_string(self) -> str | None:
        if self.nameless:
            raise OSError("no text")
        return "Nano S Plus"

    def set_nonblocking(self, _on: bool) -> None:
        return

    def write(self, packet: bytes) -> int:
        self.written.append(packet)
        return -1 if self.deaf else len(packet)

    def read(self, _length: int, timeout_ms: int) -> list[int]:
        assert timeout_ms > 0  # zero would wait for ever
        packet = self.packets.popleft() if self.packets else b""
        if isinstance(packet, OSError):
            raise packet
        return list(packet)

    def close(self) -> None:
        return


@pytest.fixture(name="handle")
def _handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    handle = Handle()
    monkeypatch.setattr("hidraw.device", lambda: handle)
    monkeypatch.setattr(hid, "device", Handle)
    return handle


def packets(answer: bytes) -> list[bytes]:
    framed = len(answer).to_bytes(2, "big") + answer
    cut = [framed[at : at + 59] for at in range(0, len(framed), 59)]
    return [b"\x01\x01\x05" + n.to_bytes(2, "big") + piece.ljust(59, b"\0") for n, piece in enumerate(cut)]


@pytest.mark.parametrize("length", [2, 57, 58, 67, 300])
def test_an_answer_of_any_length_is_put_together(handle: Handle, length: int) -> None:
    answer = bytes(range(256)) * 2
    handle.packets.extend(packets(answer[:length]))

    assert HidTransport(b"/dev/hidraw3").receive(100) == answer[:length]


def test_a_device_is_called_by_what_usb_calls_it(handle: Handle) -> None:
    named = HidTransport(b"/dev/hidraw3").model
    handle.nameless = True

    assert (named, HidTransport(b"/dev/hidraw3").model) == ("Nano S Plus", "")


def test_a_wait_that_ends_in_mid_answer_loses_nothing(handle: Handle) -> None:
    first, second = packets(b"a" * 100)
    transport = HidTransport(b"/dev/hidraw3")
    handle.packets.append(first)
    assert transport.receive(1) is None
    handle.packets.append(second)

    assert transport.receive(1) == b"a" * 100


def test_two_answers_are_two(handle: Handle) -> None:
    handle.packets.extend([*packets(b"one"), *packets(b"two")])
    transport = HidTransport(b"/dev/hidraw3")

    assert [transport.receive(1), transport.receive(1), transport.receive(1)] == [b"one", b"two", None]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_packet_is_a_lost_connection_and_no_endless_loop(handle: Handle, lost: int) -> None:
    sent = packets(b"a" * 150)
    del sent[lost]
    handle.packets.extend(sent)

    with pytest.raises(TransportGoneError, match="packet is missing"):
        HidTransport(b"/dev/hidraw3").receive(1)


def test_a_command_is_cut_into_numbered_packets(handle: Handle) -> None:
    HidTransport(b"/dev/hidraw3").send(b"x" * 100)

    assert [packet[1:6].hex() for packet in handle.written] == ["0101050000", "0101050001"]


def test_a_packet_that_does_not_go_out_is_a_lost_connection(handle: Handle) -> None:
    transport = HidTransport(b"/dev/hidraw3")
    handle.deaf = True

    with pytest.raises(TransportGoneError, match="does not take"):
        transport.send(b"x")


def test_a_socket_is_opened_by_libusb_and_a_name_of_the_kernel_by_hidraw(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each library calls the other's path one that cannot be opened."""
    over_usb = Handle()
    monkeypatch.setattr(hid, "device", lambda: over_usb)

    HidTransport(b"1-2:1.0")
    HidTransport(b"/dev/hidraw3")

    assert (over_usb.opened, handle.opened) == ([b"1-2:1.0"], [b"/dev/hidraw3"])


def test_pulled_out_while_read_and_absent_when_opened_are_gone(handle: Handle) -> None:
    handle.packets.append(OSError("read error"))
    with pytest.raises(TransportGoneError, match="read error"):
        HidTransport(b"/dev/hidraw3").receive(1)
    handle.absent = True

    with pytest.raises(TransportGoneError, match="another program has it, or udev"):
        HidTransport(b"/dev/hidraw3")


@pytest.mark.parametrize(
    ("serials", "found"), [(["0002"], False), (["0001"], True), (["0001", "0001"], False), ([], False)]
)
def test_a_serial_number_names_exactly_one_device(
    monkeypatch: pytest.MonkeyPatch, serials: list[str], found: bool
) -> None:
    listed = [
        {"path": b"p%d" % at, "serial_number": serial, "interface_number": 0, "usage_page": 0}
        for at, serial in enumerate(serials)
    ]
    other = [{"path": b"u2f", "serial_number": "0001", "interface_number": 1, "usage_page": 0xF1D0}]
    monkeypatch.setattr(hid, "enumerate", lambda *_: [*other, *listed])

    if found:
        assert path_of_serial("0001") == b"p0"
    else:
        with pytest.raises(TransportGoneError, match="exactly one is allowed"):
            path_of_serial("0001")
