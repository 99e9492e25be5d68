"""The ten accounts that every local chain funds. Knows their addresses; hands out no key."""

import functools
from collections.abc import Mapping

from coincurve import PrivateKey

from signer.adapters.dev_key.derivation import ethereum_key
from signer.decode.evm.recovery import address_of_public_key
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.errors import ConfigurationError

_COUNT = 10


def public_index(account: AccountId) -> int:
    """Index of a public test account, 0 to 9. Raises ConfigurationError for every other address."""
    index = _indices().get(address_of(account))
    if index is None:
        raise ConfigurationError(f"{account} is no public test account; allowed are {', '.join(_indices())}")
    return index


@functools.cache
def _indices() -> Mapping[Address, int]:
    return {ethereum_address(ethereum_key(index)): index for index in range(_COUNT)}


def ethereum_address(key: bytes) -> Address:
    """Address of a private key."""
    public = PrivateKey(key).public_key.format(compressed=False)
    return address_of_public_key(public[1:])
