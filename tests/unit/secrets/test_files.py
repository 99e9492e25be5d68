"""A secret in a file: its first line, shown to nobody."""

from pathlib import Path

import pytest

from trader.adapters.secrets.files import read_secret_file
from trader.domain.errors import ConfigurationError


def test_a_secret_is_the_first_line_of_its_file_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "dsn"
    path.write_text("postgresql://u:hunter2@h/d\nnext\n", encoding="utf-8")

    found = read_secret_file(path)

    assert found.get_secret_value() == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(found)


def test_a_file_that_is_missing_empty_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n")

    for wrong in (tmp_path / "nothing", tmp_path, tmp_path / "empty", tmp_path / "bytes"):
        with pytest.raises(ConfigurationError, match=str(wrong)):
            read_secret_file(wrong)


def test_a_long_token_is_whole_or_refused(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 6_000 + "\n", encoding="utf-8")
    (tmp_path / "endless").write_text("x" * 20_000, encoding="utf-8")

    assert len(read_secret_file(tmp_path / "long").get_secret_value()) == 6_000
    with pytest.raises(ConfigurationError, match="longer than 16384"):
        read_secret_file(tmp_path / "endless")
