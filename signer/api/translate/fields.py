"""Single fields of a request. Each function returns the checked value or raises InvalidRequestError."""

import re

from google.protobuf.message import Message

from signer.domain.accounts import (
    AccountId,
    Address,
    ChainName,
    is_evm,
    parse_account_id,
    parse_address,
    parse_chain,
)
from signer.domain.errors import InvalidRequestError
from signer.domain.events import Cursor
from signer.domain.transactions import UINT256_MAX, IdempotencyKey, TransactionId

_UINT256 = re.compile(r"0|[1-9][0-9]{0,77}")
_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_TRANSACTION_ID = re.compile(r"[0-9a-f]{32}")
_CURSOR = re.compile(r"0|[1-9][0-9]{0,17}")
_WALLET = re.compile(r"[a-z0-9][a-z0-9_\-]{0,39}")
_TRANSACTION_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def refuse_unknown_fields(request: Message) -> None:
    """Refuse what a newer (or hostile) client sent beyond this contract, at any depth.

    Dropping such fields in silence would sign something other than what was asked for.
    """
    before = request.ByteSize()
    request.DiscardUnknownFields()  # type: ignore[attr-defined]  # in protobuf, not in its stubs
    if request.ByteSize() != before:
        raise InvalidRequestError("request", "has fields that this version of the contract does not know")


def uint256(field: str, text: str) -> int:
    """Return a canonical decimal: digits only, no sign, no leading zero, below 2^256."""
    if not _UINT256.fullmatch(text):
        raise InvalidRequestError(
            field, f"{text[:90]!r} is no uint256; allowed are decimal digits, canonical"
        )
    value = int(text)
    if value > UINT256_MAX:
        raise InvalidRequestError(field, f"{text} is above 2^256 - 1, the most that is allowed")
    return value


def positive_uint64(field: str, value: int) -> int:
    """Return a number from 1 to 2^64 - 1, the most that the wire can carry."""
    if value == 0:
        raise InvalidRequestError(field, "is 0 or not set; allowed is 1 or more")
    return value


def address(field: str, text: str) -> Address:
    """Return an EVM address, canonical. A mixed-case spelling is accepted in any case."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise InvalidRequestError(field, str(error)) from None


def account(text: str, field: str = "account") -> AccountId:
    """Return a CAIP-10 account, canonical."""
    try:
        return parse_account_id(text)
    except ValueError as error:
        raise InvalidRequestError(field, str(error)) from None


def account_or_all(text: str) -> AccountId | None:
    """Return an account, or None for the empty text."""
    return account(text) if text else None


def chain_or_all(text: str) -> ChainName | None:
    """Return a CAIP-2 chain, or None for the empty text."""
    try:
        return parse_chain(text) if text else None
    except ValueError as error:
        raise InvalidRequestError("chain", str(error)) from None


def evm_chain(text: str) -> ChainName:
    """Return a CAIP-2 chain of the `eip155` namespace."""
    chain = chain_or_all(text)
    if chain is None or not is_evm(chain):
        raise InvalidRequestError("chain", f"{text[:80]!r} is no EVM chain; allowed is eip155:<id>")
    return chain


def wallet(text: str) -> str:
    """Return the name of a wallet, as the settings allow it."""
    if not _WALLET.fullmatch(text):
        raise InvalidRequestError("wallet", f"{text[:80]!r} is no wallet; allowed is a name of ListAccounts")
    return text


def idempotency_key(text: str) -> IdempotencyKey:
    """Return the client's key."""
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise InvalidRequestError("idempotency_key", "allowed are 16 to 64 characters of [A-Za-z0-9_-]")
    return IdempotencyKey(text)


def transaction_id(text: str, field: str = "transaction_id") -> TransactionId:
    """Return the signer's own id of a transaction."""
    if not _TRANSACTION_ID.fullmatch(text):
        raise InvalidRequestError(field, "allowed are 32 lower-case hex digits")
    return TransactionId(text)


def transaction_hash(text: str) -> str:
    """Return a keccak-256 hash in lower case."""
    if not _TRANSACTION_HASH.fullmatch(text):
        raise InvalidRequestError("transaction_hash", "allowed are 0x and 64 hex digits")
    return text.lower()


def cursor_or_now(text: str) -> Cursor | None:
    """Return a position of the event log, or None for the empty text, which means from now on."""
    if not text:
        return None
    if not _CURSOR.fullmatch(text):
        raise InvalidRequestError("after_cursor", "allowed is a cursor that this signer gave, or nothing")
    return Cursor(int(text))
