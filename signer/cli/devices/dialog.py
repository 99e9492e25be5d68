"""What a command tells the person before a device while it waits for them. Goes to stderr: stdout is data."""

import sys

from signer.adapters.device.address_reader import AddressReader, FoundKey
from signer.ports.device import DevicePhase, DeviceProgress


def tell(line: str) -> None:
    """One line for the person."""
    print(line, file=sys.stderr, flush=True)


async def compare(reader: AddressReader, found: FoundKey) -> None:
    """Have the person compare an address on the device. Raises RejectedError when they do not confirm it."""
    tell(f"compare: the device must show {found.shown}. Confirm there if it does, reject it if not")
    await reader.show(found, watch)


def watch(progress: DeviceProgress) -> None:
    """Say what the device waits for."""
    if progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION and progress.message:
        tell(progress.message)
