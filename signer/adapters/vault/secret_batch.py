"""The plaintexts of a decrypt batch, found and decoded where they lie. Makes no Python object of them.

`json` would make a str of each. Transit's answer is flat: patterns find every item and its two fields.
"""

import re
from collections.abc import Sequence
from typing import TypeAlias

from signer.adapters.vault.locked_text import decode_base64
from signer.adapters.vault.refusals import ItemRefused
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

Opened: TypeAlias = memoryview | ItemRefused
"""A plaintext in locked memory, or why there is none."""

_STRING = rb'"(?:[^"\\]|\\.)*"'
_RESULTS = re.compile(rb'"batch_results"\s*:\s*\[')
_ITEM = re.compile(rb"\s*\{((?:[^{}\"]|" + _STRING + rb")*)\}\s*([,\]])")
_PLAINTEXT = re.compile(rb'"plaintext"\s*:\s*"([A-Za-z0-9+/=]+)"')
_ERROR = re.compile(rb'"error"\s*:\s*"((?:[^"\\]|\\.)+)"')
_LAST = b"]"[0]


def opened(answer: memoryview, count: int) -> Sequence[Opened]:
    """Return the `count` results of a batch, decoded in place. Raises UnavailableError (VAULT_FAULTY)."""
    found = _RESULTS.search(answer)
    if found is None:
        raise _faulty("it has no batch_results")
    results: list[Opened] = []
    at, last = found.end(), False
    while not last:
        item = _ITEM.match(answer, at)
        if item is None:
            raise _faulty(f"item {len(results)} of its batch_results is cut off")
        results.append(_result(answer[item.start(1) : item.end(1)]))
        at, last = item.end(), answer[item.start(2)] == _LAST
    if len(results) != count:
        raise _faulty(f"it has {len(results)} results for {count} questions")
    return results


def _result(item: memoryview) -> Opened:
    error = _ERROR.search(item)
    if error is not None:
        return ItemRefused.saying(bytes(item[error.start(1) : error.end(1)]).decode(errors="replace"))
    plaintext = _PLAINTEXT.search(item)
    if plaintext is None:
        raise _faulty("an item has neither plaintext nor error")
    try:
        return decode_base64(item[plaintext.start(1) : plaintext.end(1)])
    except ValueError as error_text:
        raise _faulty(f"a plaintext is wrong: {error_text}") from None


def _faulty(problem: str) -> UnavailableError:
    return UnavailableError(FailReason.VAULT_FAULTY, f"Vault answered transit/decrypt, but {problem}")
