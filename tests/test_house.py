"""The rules of the house that a reader would otherwise have to remember: sizes, floors, docstrings, references, reasons."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "zegel"
ROOMS = sorted(SRC.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PURE = (
    "grammar",
    "ask.py",
    "limits.py",
    "reason.py",
    "words.py",
    "authres",
    "milter",
    "smtp",
    "config",
    "dkim",
    "spf",
    "dmarc",
    "arc",
    "verdict",
    "submission",
)
PURE_ROOMS = [path for path in ROOMS if path.relative_to(SRC).parts[0] in PURE]
MAX_ROOM, MAX_FUNCTION = 350, 60
JUNK_DRAWERS = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "tools"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_there_are_rooms_to_look_at() -> None:
    assert len(ROOMS) > 30
    assert len(PURE_ROOMS) > 15


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_a_room_is_of_one_idea_and_fits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= MAX_ROOM, "a second room is hidden in this one"
    assert ast.get_docstring(tree), "a room says what it is"
    assert path.stem not in JUNK_DRAWERS
    assert path.parent.name not in JUNK_DRAWERS
    for function in functions(tree):
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < MAX_FUNCTION, f"{function.name} does not fit on a screen"


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("path", PURE_ROOMS, ids=name)
def test_floors_1_to_5_have_no_clock_no_files_and_no_environment(path: Path) -> None:
    forbidden = {
        "time.time",
        "time.monotonic",
        "datetime.now",
        "datetime.datetime.now",
        "os.environ",
        "os.getenv",
        "open",
        "print",
        "input",
    }
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    used |= {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & forbidden


def test_importing_the_front_door_is_cheap() -> None:
    code = "import sys, zegel; print(sorted(m for m in sys.modules if m.split('.')[0] in ('cryptography', 'dns', 'sqlalchemy', 'asyncio')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_verifying_loads_no_database() -> None:
    code = "import sys, zegel; zegel.verify, zegel.sign, zegel.Zone; print('sqlalchemy' in sys.modules or 'dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_an_unsigned_message_looks_for_no_name_server() -> None:
    code = "import sys, zegel; print(zegel.verify(b'From: a@b\\r\\n\\r\\n'), 'dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[] False"


def test_every_name_of_the_front_door_is_there() -> None:
    import zegel

    for exported in zegel.__all__:
        assert getattr(zegel, exported) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        zegel.no_such_name  # noqa: B018 - to ask is enough


@pytest.mark.parametrize("path", [*ROOMS, *TESTS], ids=name)
def test_references_have_one_form(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        for match in re.finditer(r"\bRFC[ -]?\d{3,5}\b[^\n]{0,14}", line):
            assert re.match(r"RFC \d", match[0]), f"write RFC 6376 6.1.3: {line.strip()}"
            assert not re.match(r"RFC \d+,? (?:[Ss]ection|[Ss]ec\.|§)", match[0]), f"write RFC 6376 6.1.3: {line.strip()}"


@pytest.mark.parametrize("path", [*ROOMS, *TESTS], ids=name)
def test_nothing_is_left_for_later_and_no_skip_is_without_reason(path: Path) -> None:
    if path == Path(__file__).resolve():
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    assert not re.search(r"skip\(\s*\)|@pytest\.mark\.skip\s*$|skipif\([^,]*\)$", text, re.MULTILINE)
    assert not re.search(r"\bxfail\b|unittest\.mock|\bMagicMock\b|monkeypatch\.setattr\(\s*[\"']?zegel", text)


@pytest.mark.parametrize("path", [*ROOMS, *TESTS], ids=name)
def test_what_silences_a_tool_says_why(path: Path) -> None:
    """In tests, what is given wrongly on purpose needs no more reason than the name of the error."""
    silenced = r"# noqa(: [A-Z]+\d+)?\s*$" if path in TESTS else r"# (noqa(: [A-Z]+\d+)?|type: ignore\[[\w,-]+\])\s*$"
    assert not re.findall(silenced, path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_what_catches_everything_raises_it_again_or_tells_of_it(path: Path) -> None:
    for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(handler, ast.ExceptHandler) and (handler.type is None or dotted(handler.type) in ("Exception", "BaseException")):
            inside = [node for statement in handler.body for node in ast.walk(statement)]
            raised = any(isinstance(node, ast.Raise) for node in inside)
            assert raised or any(isinstance(node, ast.Name) and node.id == handler.name for node in inside), handler.lineno


def test_the_locked_requirements_have_hashes_and_no_hosts() -> None:
    locked = sorted((ROOT / "requirements").glob("*.txt"))
    assert [path.stem for path in locked] == ["build", "dev", "run"]
    for path in locked:
        text = path.read_text(encoding="utf-8")
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins
        assert all("==" in pin for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
        assert "--index-url" not in text


def test_the_two_versions_agree() -> None:
    import zegel

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == zegel.__version__


def test_imports_only_go_down() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(tool), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", [*ROOMS, *TESTS], ids=name)
def test_no_reference_is_to_a_page_that_is_not_here(path: Path) -> None:
    if path != Path(__file__).resolve():
        assert "STANDARDS" not in path.read_text(encoding="utf-8"), "say the attack, or the RFC"
