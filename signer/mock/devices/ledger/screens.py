"""What the Ethereum application shows of a transaction, one text a screen. Read from the payload alone."""

from collections.abc import Sequence

from signer.adapters.ledger_device.networks import MAINNET, network_of
from signer.decode.evm.keccak import keccak256
from signer.mock.devices.ledger.rlp_scan import Scanned

_DECIMALS = 18


def transaction_screens(scanned: Scanned, payload: bytes, signer: bytes) -> Sequence[str]:
    """From, amount, to, fees, network, hash: the last with calldata only, the amount not when it is zero."""
    network = network_of(scanned.chain_id)
    shown = [f"From 0x{checksummed(signer)}"]
    if scanned.value or not scanned.has_calldata:
        shown.append(f"Amount {_decimal(scanned.value)} {network.ticker}")
    shown.append(f"To 0x{checksummed(scanned.to)}" if scanned.to else "To Contract")
    shown.append(f"Max fees {_decimal(scanned.fee)} {network.ticker}")
    if scanned.chain_id != MAINNET:
        shown.append(f"Network {network.name}")
    if not scanned.has_calldata:
        return ("Review transaction", *shown, "Sign transaction")
    return ("Blind signing ahead", *shown, f"Tx hash 0x{keccak256(payload).hex()}", "Accept risk and sign")


def checksummed(address: bytes) -> str:
    """EIP-55, without 0x."""
    digits = address.hex()
    hashed = keccak256(digits.encode()).hex()
    return "".join(
        digit.upper() if int(nibble, 16) > 7 else digit  # noqa: PLR2004 - EIP-55: the top bit
        for digit, nibble in zip(digits, hashed, strict=False)
    )


def _decimal(units: int) -> str:
    """As the application: put the point into the digits, then drop zeros at the end."""
    digits = str(units).rjust(_DECIMALS + 1, "0")
    return f"{digits[:-_DECIMALS]}.{digits[-_DECIMALS:]}".rstrip("0").removesuffix(".")
