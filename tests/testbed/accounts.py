"""The ten accounts that anvil funds, from its public mnemonic; refuses any other key.

Key 0 provides liquidity, key 9 moves the price, keys 1 to 8 are for trading.
"""

import functools
from dataclasses import dataclass

from eth_account import Account

MNEMONIC = "test test test test test test test test test test test junk"
COUNT = 10
LIQUIDITY_PROVIDER, PRICE_MOVER = 0, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class DevAccount:
    """A public test account: `address` lower-case 0x hex, `private_key` 0x hex of 32 bytes."""

    address: str
    private_key: str


@functools.cache
def dev_account(index: int) -> DevAccount:
    """The account with this index, 0 to 9."""
    if not 0 <= index < COUNT:
        raise ValueError(f"anvil funds accounts 0 to {COUNT - 1}, not {index}")
    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return DevAccount(address=account.address.lower(), private_key=account.key.to_0x_hex())
