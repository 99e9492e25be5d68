"""Reads an unsigned transaction while it still arrives, as the application does. Refuses unknown types."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LIST = 0xC0
_BYTES = 0x80
_SHORT = 55
_LEGACY_CHAIN_ID_BYTES = 4


class BadPayloadError(Exception):
    """No transaction that the application knows; `is_type`: its type byte is the reason."""

    def __init__(self, *, is_type: bool = False) -> None:
        super().__init__("bad transaction type" if is_type else "bad RLP")
        self.is_type = is_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What is known by now. `payload` is what gets hashed, None until the outer list is complete."""

    has_calldata: bool = False
    payload: bytes | None = None
    chain_id: int = 0
    to: bytes = b""
    value: int = 0
    fee: int = 0
    """The most that it may cost: gas limit times price."""
    v: Callable[[int], int] = int
    """From the parity to the byte before r and s."""


@dataclass(frozen=True, slots=True)
class _Kind:
    fields: int
    to: int
    data: int
    prefix: int


_KINDS = {
    0x01: _Kind(fields=8, to=4, data=6, prefix=1),
    0x02: _Kind(fields=9, to=5, data=7, prefix=1),
}
_LEGACY = _Kind(fields=9, to=3, data=5, prefix=0)


def scan(payload: bytes) -> Scanned:
    """Scan what has come. Raises BadPayloadError. What follows the outer list is ignored, as observed."""
    if not payload:
        return Scanned()
    kind = _LEGACY if payload[0] >= _LIST else _KINDS.get(payload[0])
    if kind is None:
        raise BadPayloadError(is_type=True)
    outer = _item(payload, kind.prefix)
    if outer is None:
        return Scanned()
    at, end, is_list = outer
    if not is_list:
        raise BadPayloadError
    items = _items(payload, at, end)
    has_calldata = len(items) > kind.data and items[kind.data][0] < items[kind.data][1]
    if len(payload) < end:
        return Scanned(has_calldata=has_calldata)
    if len(items) != kind.fields or any(stop > end for _, stop in items):
        raise BadPayloadError
    fields = [payload[start:stop] for start, stop in items]
    to = fields[kind.to]
    if len(to) not in {0, 20}:
        raise BadPayloadError
    chain_id = fields[6 if kind is _LEGACY else 0]
    # In every kind price and gas limit stand before the recipient, and the value after it.
    price, gas_limit, value = (int.from_bytes(fields[kind.to + at], "big") for at in (-2, -1, 1))
    return Scanned(
        has_calldata=has_calldata,
        payload=payload[:end],
        chain_id=int.from_bytes(chain_id, "big"),
        to=to,
        value=value,
        fee=price * gas_limit,
        v=int if kind is not _LEGACY else _legacy_v(chain_id),
    )


def _legacy_v(chain_id: bytes) -> Callable[[int], int]:
    # The application keeps four bytes of the chain id, the first ones, and sends one byte of the sum.
    kept = int.from_bytes(chain_id[:_LEGACY_CHAIN_ID_BYTES], "big")
    return lambda parity: (2 * kept + 35 + parity) & 0xFF


def _items(payload: bytes, at: int, end: int) -> Sequence[tuple[int, int]]:
    """Begin and end of each content whose prefix has come."""
    items = []
    while at < min(end, len(payload)):
        item = _item(payload, at)
        if item is None:
            break
        start, at, _ = item
        items.append((start, at))
    return items


def _item(payload: bytes, at: int) -> tuple[int, int, bool] | None:
    """Begin and end of the content of an item and whether it is a list; None while its prefix is cut."""
    if at >= len(payload):
        return None
    first = payload[at]
    if first < _BYTES:
        return at, at + 1, False
    is_list = first >= _LIST
    length, start = first - (_LIST if is_list else _BYTES), at + 1
    if length > _SHORT:
        size = length - _SHORT
        if len(payload) < start + size:
            return None
        length = int.from_bytes(payload[start : start + size], "big")
        start += size
    return start, start + length, is_list
