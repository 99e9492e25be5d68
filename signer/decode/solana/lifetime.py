"""What a Solana message lives by: a recent blockhash or a durable nonce. Refuses what is not clearly one.

The network takes the nonce's way when the first instruction is the System program's AdvanceNonceAccount. It
ignores trailing bytes and further accounts there; here they are refused, since nobody means them.
Source: Solana's documentation on durable nonces, and the runtime's check of a message's age.
"""

from dataclasses import dataclass
from typing import TypeAlias

from signer.decode.solana.message import SolanaInstruction, SolanaMessage, parse_message
from signer.domain.base58 import base58, base58_key
from signer.domain.solana import HASH_BYTES, SYSTEM_PROGRAM, Blockhash, SolanaKey

RECENT_BLOCKHASHES = SolanaKey(base58_key("SysvarRecentB1ockHashes11111111111111111111"))
"""The sysvar that AdvanceNonceAccount names."""

_ADVANCE_NONCE_ACCOUNT = (4).to_bytes(4, "little")
_TAG_BYTES = 4
_ADVANCE_ACCOUNTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentBlockhash:
    """The message is good for 150 blocks, about a minute."""

    blockhash: Blockhash


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableNonce:
    """The message is good until `account` is advanced past `value`, by this message or another one."""

    account: SolanaKey
    authority: SolanaKey
    value: Blockhash


Lifetime: TypeAlias = RecentBlockhash | DurableNonce


def lifetime_of(raw: bytes) -> Lifetime:
    """What the serialized message lives by. Raises ValueError naming what is wrong or not clear."""
    message = parse_message(raw)
    _require_places(message)
    advances = [at for at, each in enumerate(message.instructions) if _advances(message, each)]
    if not advances:
        return RecentBlockhash(blockhash=message.blockhash)
    if advances != [0]:
        raise ValueError(
            f"AdvanceNonceAccount at {_listed(advances)}: it is allowed once, as the first instruction (0)"
        )
    return _durable(message, message.instructions[0])


def with_blockhash(raw: bytes, blockhash: Blockhash) -> bytes:
    """The same message with another recent blockhash; no other byte differs.

    Raises ValueError for a message that lives by a durable nonce: nothing renews that one.
    """
    if isinstance(lifetime_of(raw), DurableNonce):
        text = "the message lives by a durable nonce: its blockhash cannot be renewed"
        raise ValueError(text)  # noqa: TRY004 - a message, not a type, is wrong
    if len(blockhash) != HASH_BYTES:
        raise ValueError(f"a blockhash of {len(blockhash)} bytes; {HASH_BYTES} are allowed")
    at = parse_message(raw).blockhash_at
    return raw[:at] + blockhash + raw[at + HASH_BYTES :]


def _durable(message: SolanaMessage, advance: SolanaInstruction) -> DurableNonce:
    if advance.data != _ADVANCE_NONCE_ACCOUNT:
        raise ValueError(
            f"AdvanceNonceAccount has {len(advance.data)} bytes of data; {_TAG_BYTES} are allowed"
        )
    static = len(message.static_keys)
    if len(advance.accounts) != _ADVANCE_ACCOUNTS or max(advance.accounts) >= static:
        raise ValueError(
            "AdvanceNonceAccount names other accounts than allowed: nonce account, sysvar and authority, "
            "each in the message itself"
        )
    nonce, sysvar, authority = advance.accounts
    keys = message.static_keys
    if keys[sysvar] != RECENT_BLOCKHASHES:
        text = f"its second account is {base58(keys[sysvar])}; {base58(RECENT_BLOCKHASHES)} is allowed"
        raise ValueError(f"AdvanceNonceAccount: {text}")
    if not message.is_writable(nonce):
        # The network would take the blockhash for a recent one, and then fail.
        raise ValueError(f"AdvanceNonceAccount: the nonce account {base58(keys[nonce])} must be writable")
    if authority >= message.required_signatures:
        raise ValueError(f"AdvanceNonceAccount: the authority {base58(keys[authority])} must sign")
    if nonce == authority:
        raise ValueError(f"AdvanceNonceAccount: {base58(keys[nonce])} cannot be its own authority here")
    return DurableNonce(account=keys[nonce], authority=keys[authority], value=message.blockhash)


def _advances(message: SolanaMessage, instruction: SolanaInstruction) -> bool:
    program = message.static_keys[instruction.program]
    return program == SYSTEM_PROGRAM and instruction.data[:_TAG_BYTES] == _ADVANCE_NONCE_ACCOUNT


def _require_places(message: SolanaMessage) -> None:
    """What the network demands of every message before it looks at its lifetime."""
    static, required = len(message.static_keys), message.required_signatures
    if message.readonly_signed >= required or required + message.readonly_unsigned > static:
        raise ValueError(
            f"{message.readonly_signed} and {message.readonly_unsigned} read-only of {required} signing and "
            f"{static - required} other keys: the fee payer must be writable, and no more than there are"
        )
    if len(set(message.static_keys)) != static:
        raise ValueError("a key is listed twice")
    for number, instruction in enumerate(message.instructions):
        if not 0 < instruction.program < static:
            text = f"names key {instruction.program} as its program; 1 to {static - 1} are allowed"
            raise ValueError(f"instruction {number} {text}")
        if any(place >= static + message.loaded_keys for place in instruction.accounts):
            text = f"names an account beyond the {static + message.loaded_keys} of the message"
            raise ValueError(f"instruction {number} {text}")


def _listed(places: list[int]) -> str:
    return ", ".join(f"instruction {place}" for place in places)
