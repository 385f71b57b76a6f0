"""What is shipped: the wheel and the source archive are whole, and what the Containerfile installs runs from a read-only place.

The installation is made once, by the very lines of the Containerfile: an empty environment elsewhere, the locked dependencies with their
hashes, then the wheel alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import zegel
from support import containerfile
from support.servers import listens, require, unavailable, wait_for

ROOT = Path(__file__).parents[2]
STAGES = containerfile.read(ROOT / "Containerfile")
COMPILED = (".so", "RECORD", "WHEEL")  # what may differ between two builds when a room is compiled


@dataclass(frozen=True, slots=True)
class Built:
    """The two archives, and the source archive unpacked."""

    wheel: Path
    archive: Path
    source: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    hatchling(ROOT, folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (wheel,) = folder.glob("*.whl")
    return Built(wheel, archive, folder / archive.name.removesuffix(".tar.gz"))


def hatchling(source: Path, folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *options]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# -- the archives --------------------------------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_whole_package_and_nothing_else(built: Built) -> None:
    found = contents(built.wheel)
    package = {name for name in found if name.startswith("zegel/") and not name.endswith(".so")}
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*") if path.is_file()}
    assert package == {name for name in sources if "__pycache__" not in name and not name.endswith((".so", ".c"))}
    assert {"zegel/py.typed", "zegel/locale/nl/LC_MESSAGES/zegel.mo", "zegel/store/migrations/env.py"} <= package
    others = {name.partition("/")[2] for name in found if not name.startswith("zegel/")}
    assert others == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE",
        "data/share/man/man1/zegel.1", "data/share/man/man1/zegel-sendmail.1", "data/share/man/man5/zegel.toml.5",
        "data/share/zegel/systemd/README.md", "data/share/zegel/systemd/zegel.service", "scripts/zegel-sendmail",
    }  # fmt: skip


def test_the_source_archive_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    hatchling(built.source, tmp_path, "-t", "wheel")
    (again,) = tmp_path.glob("*.whl")
    first, second = contents(built.wheel), contents(again)
    assert again.name == built.wheel.name
    assert set(first) == set(second)
    assert [name for name in first if not name.endswith(COMPILED) and first[name] != second[name]] == []
    if not any(name.endswith(".so") for name in first):
        assert digest(again) == digest(built.wheel)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_source_archive_holds_what_builds_tests_and_documents_it(built: Built) -> None:
    for name in (
        "Makefile", "Containerfile", "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "NOTICE",
        "pyproject.toml", ".ci/run",
        "requirements/run.txt", "requirements/dev.txt", "requirements/build.txt", "docs/conf.py", "docs/man/zegel.1",
        "docs/writers/manual.py", "tests/test_house.py", "tests/support/postfix.py", "bench/dkim.py",
        "packaging/systemd/zegel.service", "src/zegel/locale/zegel.pot",
    ):  # fmt: skip
        assert (built.source / name).is_file(), name
    strange = re.compile(r"(?:^|/)(?:\.venv|\.git|build|dist|__pycache__|\.mypy_cache|\.hypothesis)(?:/|$)|\.pyc$")
    names = [str(path.relative_to(built.source)) for path in built.source.rglob("*")]
    assert [name for name in names if strange.search(name)] == []


def test_its_tests_run_in_the_source_archive(built: Built) -> None:
    house = [
        f"tests/test_house.py::{name}" for name in ("test_the_two_versions_agree", "test_the_locked_requirements_have_hashes_and_no_hosts")
    ]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/unit/grammar", "tests/unit/test_config.py", *house]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=built.source, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


# -- the installation ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that /opt/zegel of the image would be."""
    root = tmp_path_factory.mktemp("image")
    containerfile.play(STAGES[0], ROOT, root)
    return root / "opt" / "zegel"


def run(installed: Path, *words: str, program: str = "zegel", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the installation, with nothing of ours in its environment."""
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "200", "HOME": "/nonexistent", **more}
    command = [str(installed / "bin" / program), *words]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_wheel_alone_runs_the_demo(installed: Path) -> None:
    assert run(installed, "--version").stdout == f"zegel {zegel.__version__}\n"
    done = run(installed, "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 10 messages ended as they must." in done.stdout
    where = run(installed, "-c", "import zegel; print(zegel.__file__)", program="python").stdout
    assert where.startswith(f"{installed}/lib/")


def test_every_room_finds_what_it_imports_among_the_declared_dependencies(installed: Path) -> None:
    code = """if True:
        import importlib, pkgutil, zegel
        names = [found.name for found in pkgutil.walk_packages(zegel.__path__, "zegel.")]
        for name in names:
            # Alembic runs the one; the other is for sites that have Django.
            if not name.endswith(("migrations.env", "integrations.django")):
                importlib.import_module(name)
        print(len(names))"""
    done = run(installed, "-c", code, program="python")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(installed / "bin" / "python"), "check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_it_brings_its_languages_manual_and_unit_but_no_tools(installed: Path) -> None:
    assert "Toon deze uitleg en stop." in run(installed, "--help", LANGUAGE="nl").stdout
    for page in ("man1/zegel.1", "man1/zegel-sendmail.1", "man5/zegel.toml.5"):
        assert (installed / "share" / "man" / page).read_bytes() == (ROOT / "docs" / "man" / Path(page).name).read_bytes()
    assert (installed / "share" / "zegel" / "systemd" / "zegel.service").is_file()
    for tool in ("pip", "hatchling", "setuptools"):
        assert run(installed, "-c", f"import {tool}", program="python").returncode == 1, tool


def test_its_sendmail_command_is_started_without_more_than_it_needs(installed: Path) -> None:
    command = installed / "bin" / "zegel-sendmail"
    done = run(installed, "-bs", program="zegel-sendmail")
    assert (done.returncode, done.stdout) == (64, "")
    code = f"import sys; sys.argv = ['x', '-bs']; exec(compile(open({str(command)!r}).read(), 'x', 'exec'))"
    loaded = run(installed, "-X", "importtime", "-c", code, program="python")
    assert loaded.returncode == 64
    names = {line.rpartition("|")[2].strip() for line in loaded.stderr.splitlines() if line.startswith("import time:")}
    assert "zegel.integrations.sendmail" in names
    assert not {"re", "email", "socket", "typing", "enum"} & names


def test_it_serves_from_a_read_only_system_without_a_capability(installed: Path, tmp_path: Path) -> None:
    data, sockets = tmp_path / "data", tmp_path / "sockets"
    sockets.mkdir(mode=0o2710)
    if os.geteuid() == 0:
        os.chown(sockets, -1, 65534)  # as Postfix's group has it; chown takes the bit away
    sockets.chmod(0o2710)
    assert run(installed, "--data", str(data), "init").returncode == 0
    listen, off = f'[milter]\nlisten = ["unix:{sockets}/milter.sock"]', '[metrics]\nlisten = ""\n[inbound]\nauthserv_id = "mail.example.be"'
    (data / "zegel.toml").write_text(f"{listen}\n{off}\n")
    before = listing(installed)
    with ReadOnly(installed, [data, sockets], "--data", str(data), "serve") as process:
        socket = sockets / "milter.sock"
        wait_for(lambda: process.poll() is not None or listens(socket), what="it listens")
        if process.poll() == 98:
            unavailable("this machine allows no mount namespace")
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        status = run(installed, "--data", str(data), "status")
        assert status.returncode == 0, status.stdout
        found = socket.stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == sockets.stat().st_gid, "the folder gives its group to the socket"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert listing(installed) == before


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


class ReadOnly:
    """``zegel ...`` as a process that can write in the folders named and nowhere else, and has no capability; a context manager."""

    def __init__(self, installed: Path, writable: list[Path], *words: str) -> None:
        binds = "\n".join(f"mount --bind '{folder}' '{folder}'" for folder in (installed, *writable))
        # The installation and / become read-only, each where it is mounted. 98: this machine does not let us; 99: it did not help.
        self.script = f"""{{ {binds.replace(chr(10), " && ")} &&
            mount -o remount,bind,ro '{installed}' && mount -o remount,bind,ro /; }} || exit 98
            for place in '{installed}' /etc; do if touch "$place/written" 2>/dev/null; then exit 99; fi; done
            exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all '{installed}/bin/zegel' "$@"
            """
        self.words = words

    def __enter__(self) -> subprocess.Popen[str]:
        unshare = [require("unshare"), "--mount", "--propagation", "private", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        require("setpriv")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
        self.process = subprocess.Popen(
            [*unshare, "sh", "-c", self.script, "sh", *self.words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd="/",
        )  # fmt: skip
        return self.process

    def __exit__(self, *_trouble: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


# -- the Containerfile ---------------------------------------------------------------------------------------------------------------------


def test_the_image_is_of_two_stages_and_names_no_host() -> None:
    build, final = STAGES
    assert (build.name, final.name) == ("build", "")
    assert build.image == final.image
    assert re.fullmatch(r"python:3\.\d+-slim", final.image)
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {final.image.removeprefix('python:').removesuffix('-slim')}" in supported
    assert "://" not in (ROOT / "Containerfile").read_text()
    assert [step for stage in STAGES for step in stage.steps if step[0] == "ADD"] == []


def test_what_it_copies_is_there_and_passes_the_ignore_file() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for words in STAGES[0].all("COPY"):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == entry or source.startswith(f"{entry}/") for entry in let_in), source
    assert STAGES[1].all("COPY") == ["--from=build /opt/zegel /opt/zegel"]


def test_the_final_stage_is_not_root_and_builds_nothing() -> None:
    final = STAGES[1]
    user, _, group = final.last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    (made,) = final.all("RUN")
    assert f"--uid {user}" in made
    assert f"--gid {group}" in made
    assert "pip uninstall" in made
    assert not re.search(r"\b(?:apt|apt-get|gcc|pip install)\b", made)
    order = [instruction for instruction, _words in final.steps]
    assert order.index("USER") > order.index("RUN"), "what runs in the container comes after it"
    folder = final.last("VOLUME")
    assert f"-m 0700 {folder}" in made
    assert f"ZEGEL_DATA={folder}" in final.last("ENV")


def test_its_commands_are_those_of_the_command_line(installed: Path, tmp_path: Path) -> None:
    final = STAGES[1]
    entry, words, health = final.command("ENTRYPOINT"), final.command("CMD"), final.command("HEALTHCHECK")
    assert (entry, words, health) == (["zegel"], ["serve"], ["zegel", "status"])
    for command in (words, health[1:]):
        assert run(installed, *command, "--help").returncode == 0
    # Unhealthy is what has no store: an exit status that the engine takes for "no".
    assert run(installed, *health[1:], ZEGEL_DATA=str(tmp_path / "none")).returncode == 1
    assert final.last("STOPSIGNAL") == "SIGTERM"
