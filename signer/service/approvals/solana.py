"""A Solana message before a person. Refuses a signature that the network would not take any more.

A person is slower than a blockhash. A message that lives by one gets a new one when its turn has come. One
that lives by a durable nonce waits as long as nobody moves the nonce; it is never changed.
"""

from dataclasses import dataclass
from typing import NoReturn, Protocol

from signer.decode.solana.lifetime import DurableNonce, Lifetime, RecentBlockhash, lifetime_of, with_blockhash
from signer.decode.solana.message import parse_message
from signer.decode.solana.signature import require_signature
from signer.domain.accounts import AccountId, address_of
from signer.domain.base58 import base58, base58_key
from signer.domain.errors import (
    BrokenError,
    InvalidRequestError,
    PreconditionError,
    RejectedError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.solana import BlockHeight, SignedSolanaMessage, SolanaKey
from signer.ports.blockhashes import Blockhashes, NonceAccount
from signer.ports.device import Watch
from signer.ports.key_backend import AttendedBackend

LIFE_MAX_BLOCKS = 300
"""A blockhash lives 150 blocks, and a node may lag behind another; one that promises more than this lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInTime:
    """A signature that the network still took a moment ago.

    `message` is the one that was signed: it may have another blockhash than the one asked for, so signatures
    of others over that one are void. `last_valid_block_height` is None for a durable nonce.
    """

    message: bytes
    signature: bytes
    last_valid_block_height: BlockHeight | None


async def sign_attended(
    backend: AttendedBackend,
    account: AccountId,
    message: bytes,
    *,
    blockhashes: Blockhashes,
    watch: Watch,
    nonce_authorities: frozenset[SolanaKey] = frozenset(),
) -> SignedInTime:
    """Have a person sign a serialized message, such that the network can still take it.

    The authority of a durable nonce is the account itself or one of `nonce_authorities`. Raises
    InvalidRequestError for a message that cannot be signed so, PreconditionError (NONCE_NOT_USABLE) when the
    nonce account on chain is not as the message has it, before or after the person; RejectedError
    (NOT_CONFIRMED_IN_TIME) when the blockhash died before the signature came, UnavailableError when the node
    cannot be asked; and what the backend raises. After any of these no signature is left.
    """
    key, lifetime = _read(account, message, nonce_authorities)
    life = _life(lifetime, message, blockhashes)
    signed = await backend.sign_solana_at_turn(account, life.make, watch)
    _require_ours(key, signed, life.shown)
    try:
        await life.require_alive()
    except UnavailableError as error:
        text = f"{error}; so nobody knows whether the signature came in time, and it was destroyed"
        raise UnavailableError(error.reason, text) from None
    return SignedInTime(
        message=signed.message, signature=signed.signature, last_valid_block_height=life.last_valid
    )


def _read(
    account: AccountId, message: bytes, nonce_authorities: frozenset[SolanaKey]
) -> tuple[SolanaKey, Lifetime]:
    key = SolanaKey(base58_key(address_of(account)))
    try:
        lifetime, signers = lifetime_of(message), parse_message(message).signers
    except ValueError as error:
        raise InvalidRequestError("message", str(error)) from None
    if key not in signers:
        raise InvalidRequestError("message", f"needs no signature of {base58(key)}; its signers are allowed")
    if isinstance(lifetime, DurableNonce) and lifetime.authority not in {key, *nonce_authorities}:
        text = (
            f"{base58(lifetime.authority)} is the nonce's authority; {base58(key)} or one listed is allowed"
        )
        raise InvalidRequestError("message", text)
    return key, lifetime


def _require_ours(key: SolanaKey, signed: SignedSolanaMessage, shown: bytes | None) -> None:
    try:
        require_signature(key, signed.message, signed.signature)
    except ValueError as error:
        raise BrokenError(FailReason.SIGNATURE_INVALID, f"the signature is not ours: {error}") from None
    if signed.message != shown:
        raise BrokenError(FailReason.SIGNATURE_INVALID, "the signature is over another message than was made")


class _Life(Protocol):
    """What keeps one message alive. `shown` is what `make` made last; `last_valid` is known after it."""

    shown: bytes | None
    last_valid: BlockHeight | None

    async def make(self) -> bytes:
        """The message as it may be shown now."""
        ...

    async def require_alive(self) -> None:
        """Raise unless the network can still take what was shown."""
        ...


def _life(lifetime: Lifetime, message: bytes, blockhashes: Blockhashes) -> _Life:
    match lifetime:
        case RecentBlockhash():
            return _Renewed(message, blockhashes)
        case DurableNonce():
            return _Durable(message, lifetime, blockhashes)


class _Renewed:
    """A new blockhash just before the person sees the message."""

    def __init__(self, message: bytes, blockhashes: Blockhashes) -> None:
        self._message = message
        self._blockhashes = blockhashes
        self.shown: bytes | None = None
        self.last_valid: BlockHeight | None = None

    async def make(self) -> bytes:
        latest = await self._blockhashes.latest()
        height = await self._blockhashes.block_height()
        left = latest.last_valid_block_height - height
        if not 0 < left <= LIFE_MAX_BLOCKS:
            text = (
                f"the node's newest blockhash is good for {left} blocks; 1 to {LIFE_MAX_BLOCKS} are possible"
            )
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, f"{text}. Nothing was shown")
        self.last_valid = latest.last_valid_block_height
        self.shown = with_blockhash(self._message, latest.blockhash)
        return self.shown

    async def require_alive(self) -> None:
        height = await self._blockhashes.block_height()
        if self.last_valid is None or height > self.last_valid:
            text = (
                f"the blockhash died after block {self.last_valid}, the chain is at {height}: the signature "
                "came too late and was destroyed. Ask anew; a durable nonce leaves a person more time"
            )
            raise RejectedError(DenyReason.NOT_CONFIRMED_IN_TIME, text)


class _Durable:
    """The message as it is, while the nonce account is as the message has it."""

    last_valid: BlockHeight | None = None

    def __init__(self, message: bytes, nonce: DurableNonce, blockhashes: Blockhashes) -> None:
        self._message = message
        self._nonce = nonce
        self._blockhashes = blockhashes
        self.shown: bytes | None = None

    async def make(self) -> bytes:
        self._require(await self._found(), "nothing was shown")
        self.shown = self._message
        return self.shown

    async def require_alive(self) -> None:
        self._require(await self._found(), "the signature was destroyed")

    async def _found(self) -> NonceAccount:
        return await self._blockhashes.nonce_account(self._nonce.account)

    def _require(self, found: NonceAccount, end: str) -> None:
        if found.authority != self._nonce.authority:
            allowed = base58(self._nonce.authority)
            self._refuse(f"its authority is {base58(found.authority)}, in the message {allowed}", end)
        if found.value != self._nonce.value:
            carried = base58(self._nonce.value)
            self._refuse(f"its value is {base58(found.value)}, in the message {carried}: it moved on", end)

    def _refuse(self, what: str, end: str) -> NoReturn:
        text = f"nonce account {base58(self._nonce.account)}: {what}; {end}. Build the message anew"
        raise PreconditionError(FailReason.NONCE_NOT_USABLE, text)
