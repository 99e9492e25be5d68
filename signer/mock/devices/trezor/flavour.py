"""Which Trezor the double is. Model One runs the legacy firmware, all others the core firmware.

Figures are those that firmware 1.14.1 and 2.10.0 answered in their emulators.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """What differs on the wire. `core`: PIN on the device, pre-emption, Solana, named screens.

    `thp`: version of the Trezor-Host Protocol; None speaks protocol v1.
    """

    name: str
    internal_name: str
    version: tuple[int, int, int]
    core: bool
    thp: tuple[int, int] | None = None


MODEL_ONE = Flavour(name="1", internal_name="T1B1", version=(1, 14, 1), core=False)
MODEL_T = Flavour(name="T", internal_name="T2T1", version=(2, 10, 0), core=True)
SAFE_3 = Flavour(name="Safe 3", internal_name="T3B1", version=(2, 10, 0), core=True)
SAFE_7 = Flavour(name="Safe 7", internal_name="T3W1", version=(2, 10, 0), core=True, thp=(2, 1))

FLAVOURS = {"one": MODEL_ONE, "t": MODEL_T, "safe3": SAFE_3, "safe7": SAFE_7}
"""Names as the command line has them."""
