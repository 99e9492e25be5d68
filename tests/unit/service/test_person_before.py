"""Whether a person stands before a key is never guessed from what a backend happens to lack."""

import pytest

from signer.domain.accounts import Account
from signer.service.accounts import Binding
from tests.fakes.clock import FakeClock
from tests.fakes.fake_device import FakeDevice
from tests.fakes.policies import NOW
from tests.fakes.signer_world import ACCOUNT, FakeBackend, FakeChain, FakeReference


def bound(backend: FakeBackend | FakeDevice) -> Binding:
    return Binding(
        account=Account(id=ACCOUNT, wallet="hot", wallet_position=0, backend=backend.name),
        backend=backend,
        chain=FakeChain(FakeClock(NOW)),
        references=(FakeReference(),),
    )


@pytest.mark.parametrize("name", ["ledger", "trezor"])
def test_a_device_that_lacks_the_methods_of_one_is_no_key_that_signs_by_itself(name: str) -> None:
    with pytest.raises(TypeError, match=f"the {name} backend FakeBackend"):
        bound(FakeBackend(name=name))


@pytest.mark.parametrize("lacking", ["look", "screens", "sign_solana_at_turn"])
def test_half_a_device_of_any_name_is_refused(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FakeDevice, lacking)

    with pytest.raises(TypeError, match="no whole AttendedBackend"):
        bound(FakeDevice(name="of another make"))


def test_a_device_and_a_key_that_signs_by_itself_are_told_apart() -> None:
    device = FakeDevice(name="ledger")

    assert bound(device).device is device
    assert bound(FakeBackend()).device is None
