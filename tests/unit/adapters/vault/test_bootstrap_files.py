"""The folder that describes a Vault: read whole, or refused with file, place and what is allowed."""

import shutil
from pathlib import Path

import pytest

from signer.adapters.vault.bootstrap.change import differences
from signer.adapters.vault.bootstrap.wanted import load
from signer.domain.errors import ConfigurationError
from tests.testbed.vault_files import FOLDER


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "vault"))


def _edit(folder: Path, old: str, new: str) -> None:
    layout = folder / "airlock.toml"
    text = layout.read_text(encoding="utf-8")
    assert old in text
    layout.write_text(text.replace(old, new), encoding="utf-8")


def test_durations_become_seconds_and_every_policy_is_read(folder: Path) -> None:
    wanted = load(folder)

    assert [role.token_max_ttl for role in wanted.layout.approles] == [72 * 3600, 72 * 3600, 3600]
    assert len(wanted.policies) == 5


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('token_ttl = "15m"', 'token_ttl = "15 minutes"', "approles.2.token_ttl: no duration; allowed is"),
        ('token_ttl = "15m"', "token_ttl = 900", "no duration"),
        ("bound_cidrs = []", 'bound_cidrs = ["10.0.0.5/8"]', "no network; allowed is"),
        ("secret_id_uses = 1", "secret_id_uses = 0", "secret_id_uses"),
        ('policy = "airlock-rotator"', 'policy = "root"', "there is no"),
        ('type = "ed25519"', 'type = "rsa-4096"', "keys.1.type"),
        ("[pki]", "[pki]\nallow_any_name = true", "pki.allow_any_name: Extra inputs are not permitted"),
        ('usage = "server"', 'usage = "any"', "pki.roles.0.usage"),
        ("[[audit]]", "[[audit]", "not TOML"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_allowed(folder: Path, old: str, new: str, told: str) -> None:
    _edit(folder, old, new)

    with pytest.raises(ConfigurationError) as refused:
        load(folder)

    assert "airlock.toml" in str(refused.value)
    assert told in str(refused.value)


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"airlock.toml: cannot be read"):
        load(tmp_path)


def test_a_layout_without_an_audit_device_is_refused(folder: Path) -> None:
    layout = folder / "airlock.toml"
    text = layout.read_text(encoding="utf-8")
    start, end = text.index("[[audit]]"), text.index("[[mounts]]")
    layout.write_text("audit = []\n" + text[:start] + text[end:], encoding="utf-8")

    with pytest.raises(ConfigurationError, match="audit"):
        load(folder)


def test_what_was_never_set_differs_from_nothing_and_order_means_nothing() -> None:
    wanted = {"period": 0, "cidrs": [], "names": ["a", "b"], "derived": False}
    found = {"cidrs": None, "names": ["b", "a"], "derived": True}

    assert differences(wanted, found) == ("derived is True, wanted not set",)
