"""What a Solana node shows of blockhashes, heights and nonces. Believes no answer of the wrong shape.

Source: Solana's JSON-RPC methods getGenesisHash, getLatestBlockhash, getBlockHeight and getAccountInfo.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import TypeVar

from signer.adapters.json_rpc.transport import Json, JsonRpc
from signer.adapters.solana_rpc.nonce_state import NoNonceError, read_nonce_state
from signer.domain.accounts import ChainName
from signer.domain.base58 import base58, base58_key
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.solana import Blockhash, BlockHeight, SolanaKey
from signer.ports.blockhashes import LatestBlockhash, NonceAccount

Parsed = TypeVar("Parsed")

_CONFIRMED: Mapping[str, Json] = {"commitment": "confirmed"}
_U64_LIMIT = 2**64
_REFERENCE_LENGTH = 32
"""CAIP-2 names a Solana chain by so many characters of its genesis hash."""


class SolanaBlockhashes:
    """`Blockhashes` of one chain. Confirms the node's genesis first, and again after it was out of reach."""

    def __init__(self, rpc: JsonRpc, chain: ChainName) -> None:
        self._rpc = rpc
        self._chain = chain
        self._confirmed = False

    async def latest(self) -> LatestBlockhash:
        """Blockhash of the youngest confirmed block."""
        await self._confirm()
        return await self._ask("getLatestBlockhash", dict(_CONFIRMED), parse=_latest)

    async def block_height(self) -> BlockHeight:
        """Height of the youngest confirmed block."""
        await self._confirm()
        return await self._ask("getBlockHeight", dict(_CONFIRMED), parse=_height)

    async def nonce_account(self, account: SolanaKey) -> NonceAccount:
        """A nonce account as it is now."""
        await self._confirm()
        name = base58(account)
        try:
            wanted = {**_CONFIRMED, "encoding": "base64"}
            return await self._ask("getAccountInfo", name, wanted, parse=_nonce_account)
        except NoNonceError as error:
            text = f"{name} is no nonce account that can be used: {error}"
            raise PreconditionError(FailReason.NONCE_NOT_USABLE, text) from None

    async def _confirm(self) -> None:
        """Make sure that the node is on our chain: its address may have been pointed at another one."""
        if self._confirmed:
            return
        genesis = await self._ask("getGenesisHash", parse=_hash)
        actual = ChainName(f"solana:{base58(genesis)[:_REFERENCE_LENGTH]}")
        if actual != self._chain:
            text = f"node {self._rpc.host} is on {actual}; {self._chain} is configured"
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, text)
        self._confirmed = True

    async def _ask(self, method: str, *params: Json, parse: Callable[[Json], Parsed]) -> Parsed:
        try:
            return await self._rpc.read(method, *params, parse=parse)
        except UnavailableError:
            self._confirmed = False  # whoever answers next may be another node
            raise


def _latest(answer: Json) -> LatestBlockhash:
    value = _object(_object(answer).get("value"))
    return LatestBlockhash(
        blockhash=_hash(value.get("blockhash")),
        last_valid_block_height=_height(value.get("lastValidBlockHeight")),
    )


def _nonce_account(answer: Json) -> NonceAccount:
    fields = _object(answer)
    if "value" not in fields:
        raise ValueError("an answer without its value")
    if fields["value"] is None:
        raise NoNonceError("there is no account at this address")
    value = _object(fields["value"])
    match value.get("data"):
        case [str(text), "base64"]:
            return read_nonce_state(_hash(value.get("owner")), b64decode(text, validate=True))
        case other:
            raise ValueError(f"{str(other)[:80]!r} is no data in base64")


def _hash(value: Json) -> Blockhash:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:80]!r} is no hash in base58")  # noqa: TRY004 - one error for every wrong answer
    return Blockhash(base58_key(value))


def _height(value: Json) -> BlockHeight:
    if type(value) is not int or not 0 <= value < _U64_LIMIT:
        raise ValueError(f"{str(value)[:80]!r} is no height")
    return BlockHeight(value)


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:80]!r} is no object")  # noqa: TRY004 - one error for every wrong answer
    return value
