"""What a signer without a device has in its process: nothing that talks to USB."""

import subprocess
import sys

_LOADS = """
import sys
import signer.app
from signer.cli import commands
commands.parser()
print(sorted({"hid", "hidraw", "ledgerwallet"} & set(sys.modules)))
print([line for line in open("/proc/self/maps") if "libusb" in line or "libhidapi" in line])
"""


def test_a_signer_loads_no_usb_before_a_device_is_wanted() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LOADS], capture_output=True, text=True, check=True, timeout=120
    )

    assert ended.stdout.split() == ["[]", "[]"]
