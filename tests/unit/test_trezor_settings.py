import pytest

from signer.domain.errors import ConfigurationError
from tests.unit.test_signer_settings import ACCOUNT, settings

_DEV = 'backend = "dev"\ndev = { mnemonic_index = 1 }\n'
_KEY = """backend = "trezor"
trezor = { device = "safe", path = "m/44'/60'/0'/0/0" }
"""
_DEVICE = """[[trezors]]
name = "safe"
where = "serial:0001"
lock_file = "safe.lock"
fingerprint = "16a93ed0"

[[clients]]"""
_ON_A_DEVICE = (_DEV, _KEY), ("[[clients]]", _DEVICE)


def test_an_account_on_a_trezor_names_its_device_and_its_path() -> None:
    read = settings(*_ON_A_DEVICE)

    key = read.accounts[0].trezor
    assert key is not None
    assert (key.device, key.path) == ("safe", "m/44'/60'/0'/0/0")  # not a path of a file
    assert read.trezors[0].lock_file.is_absolute()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (_ON_A_DEVICE[:1], rf"{ACCOUNT.lower()} needs a \[\[trezors\]\] table with name = 'safe'"),
        ((_ON_A_DEVICE[1], (_DEV, 'backend = "trezor"\n')), "belong together"),
        ((_ON_A_DEVICE[1], (_DEV, _KEY.replace('"trezor"', '"dev"'))), "belong together"),
        ((_ON_A_DEVICE[1], (_DEV, _KEY + "dev = { mnemonic_index = 1 }\n")), "has no table dev"),
        ((*_ON_A_DEVICE, ("16a93ed0", "16A93ED")), "should match pattern"),
        ((*_ON_A_DEVICE, ("serial:0001", "first")), "should match pattern"),
        ((*_ON_A_DEVICE, ("[[clients]]", _DEVICE)), "two trezors with name 'safe'"),
    ],
)
def test_what_does_not_fit_together_is_named(changes: tuple[tuple[str, str], ...], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        settings(*changes)
