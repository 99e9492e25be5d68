"""A hardware wallet that was found on USB. Values only."""

from dataclasses import dataclass

NO_ACCESS = (
    "this host does not let the signer open it: install the udev rules (docs/devices.md), owned by root, and "
    "plug it in again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnUsb:
    """One device. `kind` is "ledger" or "trezor".

    `where` is for the settings: its serial number where that names only this one, else its socket.
    `also` has every other spelling that leads to it. `problem` says why it cannot be used, and what to do.
    """

    kind: str
    where: str
    also: tuple[str, ...] = ()
    model: str = ""
    problem: str = ""
