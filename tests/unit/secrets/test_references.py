"""A reference says where a secret is; everything else is refused without being quoted."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.domain.secret_refs import FileReference, VaultReference, parse_reference


def test_a_file_and_a_field_in_vault_are_references() -> None:
    assert parse_reference("file:/run/secrets/dsn") == FileReference(path=Path("/run/secrets/dsn"))
    assert parse_reference("vault:airlock-trader/postgres#dsn") == VaultReference(
        path="airlock-trader/postgres", field="dsn"
    )


@pytest.mark.parametrize(
    "text",
    [
        "file:",
        "vault:",
        "vault:mount#field",
        "vault:mount/path",
        "vault:mount/path#",
        "vault:mount/../sys#field",
        "vault:mount//path#field",
        "vault:mount/path?version=1#field",
        "vault:/mount/path#field",
        "env:DSN",
        "hunter2",
    ],
)
def test_everything_else_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="file:PATH") as caught:
        parse_reference(text)

    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_no_text_leads_out_of_its_path(text: str) -> None:
    try:
        found = parse_reference(f"vault:airlock-trader/{text}#field")
    except ValueError:
        return

    assert isinstance(found, VaultReference)
    assert ".." not in found.path.split("/")
    assert not set(found.path) & set("?#%\\ ")
