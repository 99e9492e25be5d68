import pytest

from tests.testbed import packages, parts


@pytest.fixture(autouse=True)
def _nothing_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", lambda: ("anvil",))
    monkeypatch.delenv("AIRLOCK_REQUIRE", raising=False)


def test_a_missing_part_skips_and_names_the_remedy() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"anvil is missing.*make test"):
        parts.require("anvil")


def test_a_missing_part_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOCK_REQUIRE", "anvil postgres")

    with pytest.raises(pytest.fail.Exception, match="anvil is missing"):
        parts.require("anvil")


def test_a_part_that_is_here_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing", tuple)

    parts.require("anvil")
