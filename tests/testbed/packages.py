"""Where the test bed's pinned npm packages lie; refuses a package that is not pinned. Standard library only.

The pins are `npm_pins.json`: name, version and sha512 of the tarball, the same number on every machine.
A package is unpacked to a folder whose name carries its checksum, and the folder appears by one rename
after the checksum was verified. So a folder that exists is complete and is what the pin says.
"""

import functools
import json
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

PINS_FILE = Path(__file__).with_name("npm_pins.json")
OWN_CONTRACTS = Path(__file__).with_name("contracts")

_V2_CORE, _V2_PERIPHERY = "@uniswap/v2-core", "@uniswap/v2-periphery"
_V3_CORE, _V3_PERIPHERY = "@uniswap/v3-core", "@uniswap/v3-periphery"
_SWAP_ROUTER = "@uniswap/swap-router-contracts"
_ARTIFACTS = {
    "WETH9": (_V2_PERIPHERY, "build/WETH9.json"),
    "DeflatingERC20": (_V2_PERIPHERY, "build/DeflatingERC20.json"),
    "UniswapV2Factory": (_V2_CORE, "build/UniswapV2Factory.json"),
    "UniswapV2Pair": (_V2_CORE, "build/UniswapV2Pair.json"),
    "UniswapV2Router02": (_V2_PERIPHERY, "build/UniswapV2Router02.json"),
    "UniswapV3Factory": (_V3_CORE, "artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"),
    "UniswapV3Pool": (_V3_CORE, "artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json"),
    "NonfungiblePositionManager": (
        _V3_PERIPHERY,
        "artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
    ),
    "SwapRouter02": (_SWAP_ROUTER, "artifacts/contracts/SwapRouter02.sol/SwapRouter02.json"),
    "QuoterV2": (_SWAP_ROUTER, "artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json"),
}


@dataclass(frozen=True)
class Pin:
    """One npm tarball: `sha512` in hex, of the tarball's bytes; an empty `platform` fits every machine."""

    name: str
    version: str
    sha512: str
    platform: str = ""

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: its ABI as parsed JSON, its creation code as bytes."""

    abi: Json
    bytecode: bytes


def artifact(name: str) -> Artifact:
    """The compiled contract called `name`: our own `TestToken`, or one of the pinned packages."""
    if name == "TestToken":
        return _read_artifact(OWN_CONTRACTS / "TestToken.json")
    if name not in _ARTIFACTS:
        raise KeyError(f"no artifact {name!r}; there are {', '.join(sorted([*_ARTIFACTS, 'TestToken']))}")
    package, path = _ARTIFACTS[name]
    return _read_artifact(package_dir(_pin(package)) / path)


def anvil_binary() -> Path | None:
    """The anvil to run: the one on PATH, or the cached one, or None."""
    on_path = shutil.which("anvil")
    if on_path is not None:
        return Path(on_path)
    pin = anvil_pin()
    cached = None if pin is None else package_dir(pin) / "bin" / "anvil"
    return cached if cached is not None and cached.exists() else None


def anvil_pin() -> Pin | None:
    """The pinned anvil package for this machine, or None when none is pinned for its platform."""
    here = f"{platform.system()} {platform.machine()}"
    return next((pin for pin in pins() if pin.platform == here), None)


def uniswap_pins() -> tuple[Pin, ...]:
    """The packages with the contracts; they fit every machine."""
    return tuple(pin for pin in pins() if not pin.platform)


def missing() -> tuple[str, ...]:
    """What the bed lacks on this machine, by name; empty when everything is there."""
    absent = [pin.spec for pin in uniswap_pins() if not package_dir(pin).exists()]
    return ("anvil", *absent) if anvil_binary() is None else tuple(absent)


def cache_dir() -> Path:
    """The folder that outlives clones: `AIRLOCK_CACHE`, or `~/.cache/airlock`."""
    return Path(os.environ.get("AIRLOCK_CACHE") or Path.home() / ".cache" / "airlock")


def package_dir(pin: Pin) -> Path:
    """The unpacked package; it exists only after its checksum was verified."""
    flat = pin.name.lstrip("@").replace("/", "-")
    return cache_dir() / "npm" / f"{flat}-{pin.version}-{pin.sha512[:16]}"


@functools.cache
def pins() -> tuple[Pin, ...]:
    """Every pinned tarball."""
    rows: list[dict[str, str]] = json.loads(PINS_FILE.read_text(encoding="utf-8"))
    return tuple(Pin(**row) for row in rows)


def _pin(name: str) -> Pin:
    return next(pin for pin in pins() if pin.name == name)


@functools.cache
def _read_artifact(path: Path) -> Artifact:
    if not path.exists():
        raise FileNotFoundError(f"{path} is not in the cache; `make test` fetches the test bed's packages")
    parsed: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))
    code = parsed["bytecode"]
    assert isinstance(code, str), path
    return Artifact(abi=parsed["abi"], bytecode=bytes.fromhex(code.removeprefix("0x")))
