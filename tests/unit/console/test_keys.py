"""Keys as terminals send them, whole, in pieces, and such as nobody knows."""

import pytest

from signer.cli.console.keys import BACKSPACE, DOWN, ENTER, ESCAPE, QUIT, UP, Keys


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"j", ["j"]),
        (b"\x1b[A\x1b[B", [UP, DOWN]),
        (b"\x1bOA\x1bOB", [UP, DOWN]),
        (b"\r\n", [ENTER, ENTER]),
        (b"\x7f\x08", [BACKSPACE, BACKSPACE]),
        (b"\x03\x04", [QUIT, QUIT]),
        ("é?".encode(), ["é", "?"]),
        (b"\x1b[1;5C\x1b[200~x\x1b[201~", ["x"]),
        (b"\x1b\x1b[A", [ESCAPE, UP]),
        (b"\x00\x01\x1a\x9b", ["\ufffd"]),
    ],
)
def test_a_key_is_what_was_pressed(sent: bytes, keys: list[str]) -> None:
    assert Keys().feed(sent) == keys


def test_what_comes_in_pieces_is_put_together() -> None:
    decoder = Keys()

    pieces = [decoder.feed(bytes([byte])) for byte in b"\x1b[A" + "é".encode()]

    assert [key for piece in pieces for key in piece] == [UP, "é"]
    assert not decoder.begun


def test_escape_alone_is_known_after_a_silence() -> None:
    decoder = Keys()
    at_once = decoder.feed(b"\x1b")

    assert (at_once, decoder.begun) == ([], True)
    assert decoder.flush() == [ESCAPE]
    assert decoder.flush() == []


def test_a_sequence_without_an_end_is_not_collected_for_ever() -> None:
    decoder = Keys()
    decoder.feed(b"\x1b[" + b"1" * 100)

    assert not decoder.begun
