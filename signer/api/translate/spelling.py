"""Accounts as the contract spells them. Inside, they are in lower case."""

import functools

from eth_utils.address import to_checksum_address

from signer.domain.accounts import AccountId, address_of, chain_of


def spelled(account_id: AccountId) -> str:
    """CAIP-10 as the contract spells it: EVM addresses in EIP-55."""
    if not account_id.startswith("eip155:"):
        return account_id
    return f"{chain_of(account_id)}:{_checksummed(address_of(account_id))}"


@functools.lru_cache(maxsize=1_024)
def _checksummed(address: str) -> str:
    return to_checksum_address(address)
