"""Accounts as the contract spells them. Inside, they are in lower case."""

from signer.decode.evm.eip55 import checksummed
from signer.domain.accounts import AccountId, address_of, chain_of


def spelled(account_id: AccountId) -> str:
    """CAIP-10 as the contract spells it: EVM addresses in EIP-55."""
    if not account_id.startswith("eip155:"):
        return account_id
    return f"{chain_of(account_id)}:{checksummed(address_of(account_id))}"
