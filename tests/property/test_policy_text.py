"""What a guardian signs: no two policies have one text, and every device can show it."""

from hypothesis import given
from hypothesis import strategies as st

from signer.domain.accounts import ChainName
from signer.domain.policy_statement import MAX_SERIAL, PolicyStatement
from signer.policy.document import parse
from signer.service.policy_signature import statement_of
from tests.fakes.guardians import with_serial

chains = st.lists(st.integers(1, 10**9).map(lambda number: ChainName(f"eip155:{number}")), max_size=4)
statements = st.builds(
    PolicyStatement,
    serial=st.integers(1, MAX_SERIAL),
    chains=chains.map(lambda names: tuple(sorted(set(names)))),
    policy_hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
)


def _read_back(text: str) -> PolicyStatement:
    head, serial, listed, policy_hash = text.split("; ")
    assert head == "Airlock policy"
    names = listed.removeprefix("chains ")
    return PolicyStatement(
        serial=int(serial.removeprefix("serial ")),
        chains=() if names == "none" else tuple(map(ChainName, names.split(", "))),
        policy_hash=policy_hash.removeprefix("sha256 "),
    )


@given(statements)
def test_a_statement_can_be_read_back_from_its_text_so_no_two_share_one(statement: PolicyStatement) -> None:
    assert _read_back(statement.text()) == statement


@given(statements)
def test_a_device_shows_the_text_as_text(statement: PolicyStatement) -> None:
    assert all(" " <= letter <= "~" for letter in statement.text())


@given(st.integers(1, MAX_SERIAL), st.integers(1, MAX_SERIAL), st.text("# ab\n"), st.text("# ab\n"))
def test_two_different_files_have_different_texts(first: int, second: int, note: str, other: str) -> None:
    files = [
        with_serial(serial) + "".join(f"#{line}\n" for line in remark.split("\n"))
        for serial, remark in ((first, note), (second, other))
    ]
    texts = [statement_of(parse(file.encode()), "policy").text() for file in files]

    assert (texts[0] == texts[1]) == (files[0] == files[1])
