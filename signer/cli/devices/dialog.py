"""What a command tells the person before a device while it waits for them. Goes to stderr: stdout is data."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from signer.adapters.device.address_reader import AddressReader, FoundKey
from signer.domain.errors import RejectedError
from signer.domain.reasons import DenyReason
from signer.ports.device import DevicePhase, DeviceProgress

T = TypeVar("T")


def tell(line: str) -> None:
    """One line for the person."""
    print(line, file=sys.stderr, flush=True)


def attended(work: Coroutine[None, None, T]) -> T:
    """Run work that a person may end at the terminal, which also takes it off the device."""
    with may_be_given_up():
        return asyncio.run(work)


@contextmanager
def may_be_given_up() -> Iterator[None]:
    """Control-C is a no. Other commands may end so and be done; after this one no script must go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise RejectedError(DenyReason.GIVEN_UP, "given up at the terminal: nothing is confirmed") from None


async def compare(reader: AddressReader, found: FoundKey) -> None:
    """Have the person compare an address on the device. Raises RejectedError when they do not confirm it."""
    tell(f"compare: the device must show {found.shown}. Confirm there if it does, reject it if not")
    await reader.show(found, watch)


def watch(progress: DeviceProgress) -> None:
    """Say what the device waits for."""
    if progress.phase is DevicePhase.WAITING_FOR_CONFIRMATION and progress.message:
        tell(progress.message)
