import pytest

from signer.decode.solana.message import parse_message

KEYS = tuple(bytes([number]) * 32 for number in range(1, 4))
LEGACY = (
    bytes((2, 0, 1, 3))
    + b"".join(KEYS)
    + bytes(32)
    + b"\x01"
    + b"\x02\x02\x00\x01"
    + b"\x81\x01"
    + bytes(129)
)
TABLE = b"\x01" + bytes(32) + b"\x02\x00\x01" + b"\x01\x05"


@pytest.mark.parametrize(
    ("raw", "version"), [(LEGACY, None), (b"\x80" + LEGACY + TABLE, 0)], ids=["legacy", "v0"]
)
def test_the_signers_are_the_first_of_the_keys(raw: bytes, version: int | None) -> None:
    message = parse_message(raw)

    assert message.version == version
    assert message.static_keys == KEYS
    assert message.signers == KEYS[:2]


@pytest.mark.parametrize("raw", [LEGACY, b"\x80" + LEGACY + TABLE], ids=["legacy", "v0"])
def test_no_byte_may_lack_or_be_left(raw: bytes) -> None:
    for length in range(len(raw)):
        with pytest.raises(ValueError, match=r"ends at byte|keys"):
            parse_message(raw[:length])
    with pytest.raises(ValueError, match="1 bytes follow"):
        parse_message(raw + b"\0")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\x81" + LEGACY, "version 1"),
        (b"\xff" + LEGACY, "version 127"),
        (b"\x00" + LEGACY[1:], "0 signatures of 3 keys"),
        (b"\x04" + LEGACY[1:], "4 signatures of 3 keys"),
        (LEGACY[:3] + b"\xff\xff\xff" + LEGACY[4:], "compact-u16"),
    ],
)
def test_what_is_no_message_is_named(raw: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_message(raw)
