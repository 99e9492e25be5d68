"""Envelopes opened for signatures: decrypt, compare the address, sign, overwrite. Hands out signatures only.

One request opens each account's envelope once, for the signatures that were waiting when it left: the key is
in memory for as short a time as one signature needs, and as rarely as possible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from signer.adapters.vault.envelope import Envelope
from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.secp256k1 import address_of_key, sign_digest
from signer.adapters.vault.secret_batch import Opened
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import Address, address_of
from signer.domain.errors import BrokenError, SignerError
from signer.domain.reasons import FailReason
from signer.domain.transactions import EvmSignature

SignedDigest: TypeAlias = EvmSignature | SignerError


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestToSign:
    """A 32-byte digest and the envelope of the key that signs it."""

    envelope: Envelope
    digest: bytes


async def sign_digests(
    transit: Transit, wrapping_key: str, asked: Sequence[DigestToSign]
) -> tuple[SignedDigest, ...]:
    """Sign each, in order. An envelope that does not open, or holds another key, fails only its own."""
    digests: dict[Envelope, list[bytes]] = {}
    for each in asked:
        digests.setdefault(each.envelope, []).append(each.digest)
    envelopes = tuple(digests)

    def use(opened: Sequence[Opened]) -> Mapping[Envelope, tuple[SignedDigest, ...]]:
        return {
            envelope: _signed(envelope, plaintext, digests[envelope])
            for envelope, plaintext in zip(envelopes, opened, strict=True)
        }

    signed = await transit.decrypt_batch(wrapping_key, [each.sealed() for each in envelopes], use)
    answers = {envelope: iter(signatures) for envelope, signatures in signed.items()}
    return tuple(next(answers[each.envelope]) for each in asked)


async def address_in(transit: Transit, envelope: Envelope) -> Address:
    """Return the address of the key in an envelope. Raises BrokenError when it does not open."""

    def use(opened: Sequence[Opened]) -> Address | SignerError:
        (plaintext,) = opened
        if isinstance(plaintext, ItemRefused):
            return _refusal(envelope, plaintext)
        try:
            return address_of_key(plaintext)
        except ValueError as error:
            return BrokenError(FailReason.BROKEN, f"the envelope of {envelope.account}: {error}")

    found = await transit.decrypt_batch(envelope.wrapping_key, [envelope.sealed()], use)
    if isinstance(found, SignerError):
        raise found
    return found


def _signed(envelope: Envelope, plaintext: Opened, digests: Sequence[bytes]) -> tuple[SignedDigest, ...]:
    if isinstance(plaintext, ItemRefused):
        return (_refusal(envelope, plaintext),) * len(digests)
    try:
        # Before signing, not after: a signature by another key must never exist.
        address = address_of_key(plaintext)
        if address != address_of(envelope.account):
            return (_foreign(envelope, address),) * len(digests)
        return tuple(sign_digest(plaintext, digest) for digest in digests)
    except ValueError as error:
        broken = BrokenError(FailReason.BROKEN, f"the envelope of {envelope.account}: {error}")
        return (broken,) * len(digests)


def foreign_key(envelope: Envelope, address: Address) -> SignerError | None:
    """The error for an envelope that holds the key of another address than its account's."""
    return None if address == address_of(envelope.account) else _foreign(envelope, address)


def _foreign(envelope: Envelope, address: Address) -> SignerError:
    return BrokenError(
        FailReason.BROKEN,
        f"the envelope of {envelope.account} holds the key of {address}; allowed is that of the account",
    )


def _refusal(envelope: Envelope, refused: ItemRefused) -> SignerError:
    what = f"the envelope of {envelope.account}, encrypted by version {envelope.key_version} of "
    if refused.is_too_old:
        hint = "is below that key's min_decryption_version: lower it, and rotate the wrapping key anew"
    else:
        hint = "does not open: it is of another account, of another key, or was altered"
    return BrokenError(FailReason.BROKEN, f"{what}{envelope.wrapping_key}, {hint} (Vault: {refused.text})")
