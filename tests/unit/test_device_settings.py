import pytest

from signer.domain.errors import ConfigurationError
from tests.unit.test_signer_settings import ACCOUNT, settings

_DEV = 'backend = "dev"\ndev = { mnemonic_index = 1 }\n'
_KEY = """backend = "ledger"
ledger = { device = "desk", path = "m/44'/60'/0'/0/0" }
"""
_DEVICE = '[[ledgers]]\nname = "desk"\nwhere = "serial:0001"\nlock_file = "desk.lock"\n\n[[clients]]'
_ON_A_DEVICE = (_DEV, _KEY), ("[[clients]]", _DEVICE)


def test_an_account_on_a_ledger_names_its_device_and_its_path() -> None:
    read = settings(*_ON_A_DEVICE)

    key = read.accounts[0].ledger
    assert key is not None
    assert (key.device, key.path) == ("desk", "m/44'/60'/0'/0/0")  # not a path of a file
    assert read.ledgers[0].lock_file.is_absolute()
    assert read.ledgers[0].approval_timeout_s == 90


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (_ON_A_DEVICE[:1], rf"{ACCOUNT.lower()} needs a \[\[ledgers\]\] table with name = 'desk'"),
        ((_ON_A_DEVICE[1], (_DEV, 'backend = "ledger"\n')), "belong together"),
        ((_ON_A_DEVICE[1], (_DEV, _KEY.replace('"ledger"', '"dev"'))), "belong together"),
        ((_ON_A_DEVICE[1], (_DEV, _KEY + "dev = { mnemonic_index = 1 }\n")), "has no table dev"),
        ((*_ON_A_DEVICE, ("m/44'", "44'")), "should match pattern"),
        ((*_ON_A_DEVICE, ("serial:0001", "first")), "should match pattern"),
        ((*_ON_A_DEVICE, ("[[clients]]", _DEVICE)), "two ledgers with name 'desk'"),
        # A person is told a name: it has to be one device that is meant.
        (
            (*_ON_A_DEVICE, ("[[clients]]", _DEVICE.replace("ledgers", "trezors"))),
            "two devices with name 'desk'",
        ),
        # One would keep the other away, and the message would be about another process.
        (
            (*_ON_A_DEVICE, ("[[clients]]", _DEVICE.replace('"desk"', '"two"').replace("0001", "0002"))),
            "two devices with lock_file",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(changes: tuple[tuple[str, str], ...], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        settings(*changes)
