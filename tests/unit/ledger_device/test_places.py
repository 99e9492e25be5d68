import pytest

from signer.adapters.ledger_device.paths import encode_path
from signer.adapters.ledger_device.places import opener
from signer.domain.errors import ConfigurationError
from signer.settings import refuse_redirected_devices


@pytest.mark.parametrize(
    "place",
    [
        "",
        "first",
        "hid",
        "tcp:",
        "tcp:127.0.0.1",
        "tcp:127.0.0.1:0",
        "tcp:127.0.0.1:70000",
        "tcp:0.0.0.0:9999",
        "tcp:10.0.0.1:9999",
        "tcp:localhost:9999",
        "tcp:[::1]:9999",
        "serial:",
        "path:",
        "udp:127.0.0.1:9999",
    ],
)
def test_what_is_no_place_of_a_ledger_on_this_machine_is_refused(place: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed"):
        opener(place)


@pytest.mark.parametrize(
    "place", ["tcp:127.0.0.1:9999", "tcp:127.8.8.8:1", "serial:0001", "path:/dev/hidraw3"]
)
def test_a_place_is_opened_only_when_it_is_needed(place: str) -> None:
    assert callable(opener(place))


def test_a_path_is_a_count_and_four_bytes_a_step() -> None:
    assert encode_path("m/44'/60'/0'/0/7").hex() == "058000002c8000003c800000000000000000000007"
    assert encode_path("m/2147483647'").hex() == "01ffffffff"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "m",
        "m/",
        "44'/60'",
        "m/44h/60h",
        "m/-1",
        "m/01",
        "m/2147483648",
        "m/1''",
        "m/x",
        "m/" + "/".join("1" * 11),
    ],
)
def test_what_is_no_path_is_refused_by_name(path: str) -> None:
    with pytest.raises(ConfigurationError, match="is no derivation path; allowed is as"):
        encode_path(path)


@pytest.mark.parametrize("name", ["LEDGER_PROXY_ADDRESS", "LEDGER_PROXY_PORT", "TREZOR_PATH"])
def test_an_environment_that_redirects_devices_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_redirected_devices()
    monkeypatch.setenv(name, "127.0.0.1")

    with pytest.raises(ConfigurationError, match=f"{name} would let others choose"):
        refuse_redirected_devices()
