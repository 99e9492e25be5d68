"""What a signer has in its process: of hardware, of Vault and of a web server only what its settings name."""

import subprocess
import sys

_ALL_COMMANDS = """
import sys
from signer.cli import commands
commands.parser()
print(sorted({"hid", "hidraw", "ledgerwallet"} & set(sys.modules)))
print([line for line in open("/proc/self/maps") if "libusb" in line or "libhidapi" in line])
"""

_RUN = """
import sys
from signer.cli import commands
commands.parser(["run"])
print("signer.app" in sys.modules)
print(sorted({"aiohttp.web", "hvac", "ledgerwallet", "requests", "trezorlib"} & set(sys.modules)))
"""


def test_no_command_loads_usb_before_a_device_is_wanted() -> None:
    assert _said(_ALL_COMMANDS) == ["[]", "[]"]


def test_a_signer_loads_what_talks_to_vault_and_devices_only_where_it_has_some() -> None:
    assert _said(_RUN) == ["True", "[]"]


def _said(program: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    return ended.stdout.split()
