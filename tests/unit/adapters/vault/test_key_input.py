import os

import pytest

from signer.adapters.vault.key_input import MAX_TEXT_BYTES, read_key
from signer.adapters.vault.locked_memory import LockedBuffer
from signer.domain.errors import ConfigurationError

KEY = bytes(range(1, 33))


@pytest.mark.parametrize("spelling", ["{}", "0x{}\n", "  {}\r\n", "\n0x{}"])
def test_a_key_is_read_in_every_usual_spelling(spelling: str) -> None:
    with LockedBuffer(MAX_TEXT_BYTES) as buffer:
        assert bytes(read_key(_pipe(spelling.format(KEY.hex())), buffer)) == KEY


@pytest.mark.parametrize(
    "text", ["", "zz" * 32, "11" * 31, "11" * 33, "1" * 63, "0x", "1" * 10_000, f"{KEY.hex()} {KEY.hex()}"]
)
def test_what_is_no_key_is_refused_and_not_quoted(text: str) -> None:
    descriptor = _pipe(text)

    with LockedBuffer(MAX_TEXT_BYTES) as buffer, pytest.raises(ConfigurationError) as caught:
        read_key(descriptor, buffer)

    assert str(caught.value) == f"file descriptor {descriptor} holds no key; allowed are 64 hex digits"


def test_a_descriptor_that_is_not_open_is_named() -> None:
    with LockedBuffer(MAX_TEXT_BYTES) as buffer, pytest.raises(ConfigurationError, match="--key-fd 3"):
        read_key(10_000, buffer)


def _pipe(text: str) -> int:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading
