"""A crash between two renames leaves a pair, after the next start at the latest."""

import contextlib
from pathlib import Path

import pytest

from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.pki.certificate_pair import finish_interrupted, replace_pair
from signer.domain.errors import ConfigurationError
from signer.domain.time import UnixMs

_AUTHORITY = Authority(name="pairs", now=UnixMs(1_800_000_000_000))


def _issued() -> Issued:
    return _AUTHORITY.server(uri="spiffe://airlock.local/signer", hosts=["127.0.0.1"])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "server.pem", tmp_path / "server.key"


def _content(files: tuple[Path, Path]) -> Issued:
    return Issued(certificate=files[0].read_bytes(), key=files[1].read_bytes())


def test_a_pair_is_replaced_whole_and_its_key_is_for_nobody_else(files: tuple[Path, Path]) -> None:
    old, new = _issued(), _issued()
    replace_pair(*files, old)
    replace_pair(*files, new)

    assert _content(files) == new
    assert files[1].stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["server.key", "server.pem"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_crash_at_any_rename_ends_in_a_pair(
    files: tuple[Path, Path], renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = _issued(), _issued()
    replace_pair(*files, old)
    done: list[Path] = []
    rename = Path.replace

    def crashing(path: Path, target: Path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(path)
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crashing)
        with contextlib.suppress(KeyboardInterrupt):
            replace_pair(*files, new)
    finish_interrupted(*files)
    finish_interrupted(*files)

    assert _content(files) == (old if renames == 0 else new)
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["server.key", "server.pem"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"

    with pytest.raises(ConfigurationError, match="nowhere"):
        replace_pair(nowhere / "server.pem", nowhere / "server.key", _issued())
