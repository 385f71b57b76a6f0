"""What the documents say is what happens: the tutorial is run command by command, the Python is run, and all pages build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zegel.dkim.crypto import Key

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MARK = "\x1e"


def environment(home: Path) -> dict[str, str]:
    """That of a newcomer: an empty home, and the command in the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "COLUMNS": "120", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}


def commands(page: Path) -> list[tuple[str, str]]:
    """The commands of a page's console blocks (``$ ``, continued with ``> ``), each with the output shown below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            more = [line for line in lines[1:] if line.startswith(">")]
            typed = [lines[0], *(line.removeprefix(">").removeprefix(" ") for line in more)]
            found.append(("\n".join(typed), "\n".join(lines[len(typed) :])))
    return found


def run_all(page: Path, home: Path) -> list[tuple[str, str, str, int]]:
    """Type them into one shell: each command, what the page shows, what was seen, and the exit status."""
    typed = commands(page)
    script = "".join(f"{command}\nprintf '{MARK}%s{MARK}' $?\n" for command, _shown in typed)
    done = subprocess.run(
        ["bash"], input=script, cwd=home, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    seen = done.stdout.replace(str(home), "/home/you").split(MARK)
    return [(command, shown, seen[2 * at], int(seen[2 * at + 1])) for at, (command, shown) in enumerate(typed)]


def alike(shown: str, seen: str) -> bool:
    """Whether the page shows what was seen; ``...`` stands for anything."""
    pattern = ".*".join(map(re.escape, shown.strip().split("...")))
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in seen.strip().splitlines()), re.DOTALL) is not None


def test_the_tutorial_shows_what_happens(tmp_path: Path) -> None:
    done = run_all(DOCS / "tutorial.md", tmp_path)
    assert len(done) > 18
    for command, shown, seen, _status in done:
        assert alike(shown, seen), f"$ {command}\nthe tutorial shows:\n{shown}\nseen:\n{seen}"
    failed = [command for command, _shown, _seen, status in done if status]
    assert failed == ["zegel key activate example.be z1", "zegel verify changed.eml"], "what it tells as refused, and nothing else"
    assert not (tmp_path / ".local" / "share" / "zegel").exists(), "it leaves no key behind"


def test_the_comparison_with_what_was_seen_can_fail() -> None:
    assert alike("a ... c\nd\n", "a b\nb c\nd")
    assert not alike("signed.eml: pass", "signed.eml: fail")
    assert not alike("a", "a\nb")


@pytest.mark.parametrize("page", [DOCS / "reference" / "python.md", ROOT / "README.md"], ids=lambda page: page.name)
def test_the_python_on_a_page_runs(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    (tmp_path / "message.eml").write_bytes(b"From: jan@example.be\r\n\r\nhello\r\n")
    key = Key.generate("example.be", "z1", "ed25519")
    (tmp_path / "z1.pem").write_bytes(key.pem)
    # The page of the front asks DNS; a zone answers here.
    records = {key.name: key.record, "example.be": "v=spf1 -all", "_dmarc.example.be": "v=DMARC1; p=reject"}
    zone = f"import zegel\nzone = zegel.Zone.from_dict({{(name, 'TXT'): [text] for name, text in {records!r}.items()}})\n"
    for block in blocks:
        asking = block.replace("zegel.verify(signed)", "zegel.verify(signed, resolver=zone)").replace(
            'mode="quarantine")', 'mode="quarantine", resolver=zone)'
        )
        code = block if "Zone" in block else zone + asking
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        if "verdict.action)" in block:
            assert f"# {done.stdout.strip()}\n" in block
        if "result.explanation" in block:
            assert done.stdout == "pass example.be the signature verifies\n"


def test_all_pages_build_with_and_without_what_is_measured(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__", "interop.md", "standards.md", "benchmarks.md"))
    for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    without = build(tmp_path)
    assert "interop.html" not in (without / "index.html").read_text()
    for name in ("interop", "standards", "benchmarks"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name.title()}\n\nMeasured.\n")
    pages = build(tmp_path)
    index = (pages / "index.html").read_text()
    assert all(f'href="{name}.html"' in index for name in ("interop", "standards", "benchmarks", "tutorial", "reference/log"))
    for page in pages.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(?:https?:)?//', text), f"{page.name} fetches from elsewhere"


def build(folder: Path) -> Path:
    """Build the pages as ``make docs`` does."""
    pages = folder / "build"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "--fresh-env", "docs", str(pages)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return pages


@pytest.mark.parametrize("page", [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")], ids=lambda page: page.name)
def test_what_a_front_page_links_to_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    linked = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert [target for target in linked if not (ROOT / target).exists()] == []
    assert "@" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL), "no address that nobody reads"
