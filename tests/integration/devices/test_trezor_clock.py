"""A Trezor's thread always comes back, also when the clock is set back while a device is silent."""

import socket
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from trezorlib.transport import udp

from signer.adapters.trezor_device.bounded_transport import BoundedTransport
from signer.adapters.trezor_device.request import Request, TimeOverError

MANY = 1_000


@pytest.fixture(name="silent")
def _silent() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


def test_a_clock_that_is_set_back_makes_no_read_longer(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = count(start=10**9, step=-3_600)
    monkeypatch.setattr(udp, "time", SimpleNamespace(time=lambda: next(backwards)))
    bounded = BoundedTransport(udp.UdpTransport(f"127.0.0.1:{silent}"), Request(None, answer_ms=200).slice_s)

    with bounded, pytest.raises(TimeOverError):
        bounded.read_chunk()
    assert next(backwards) > 10**9 - MANY * 3_600
