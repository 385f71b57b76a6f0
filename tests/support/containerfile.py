"""Reads a Containerfile, and plays its build stage below a folder of one's own: the same COPY and RUN lines, without a container engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: the image that it begins with, its name, and its instructions in order."""

    image: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        """What stands behind every instruction of that kind."""
        return [words for kind, words in self.steps if kind == instruction]

    def last(self, instruction: str) -> str:
        """What stands behind the instruction that holds at the end."""
        return self.all(instruction)[-1]

    def command(self, instruction: str) -> list[str]:
        """The words of an instruction in the exec form, which needs no shell."""
        words = json.loads(self.last(instruction)[self.last(instruction).index("[") :])
        return [str(word) for word in words]


def read(file: Path) -> list[Stage]:
    """The stages of a Containerfile."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, words = line.partition(" ")
        if instruction == "FROM":
            image, _, name = words.partition(" AS ")
            stages.append(Stage(image.strip(), name.strip(), ()))
        else:
            last = stages[-1]
            stages[-1] = Stage(last.image, last.name, (*last.steps, (instruction, " ".join(words.split()))))
    return stages


def play(stage: Stage, context: Path, root: Path) -> None:
    """Do its WORKDIR, COPY and RUN lines with ``root`` for /: every absolute path of theirs must lie in /opt or be the folder of work."""
    here, programs = root, root / "programs"
    programs.mkdir(parents=True)
    # The image's own python: one with pip.
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in ("HOME", "LANG", "TMPDIR")}
    environment = kept | {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"}
    for instruction, words in stage.steps:
        if instruction == "WORKDIR":
            here = root / words.lstrip("/")
            here.mkdir(parents=True)
        elif instruction == "COPY":
            _copy(words.split(), context, here)
        elif instruction == "RUN":
            # What pip has fetched for this machine before may be used again.
            command = words.replace("/opt/", f"{root}/opt/").replace("--no-cache-dir ", "")
            done = subprocess.run(
                ["/bin/sh", "-e", "-c", command], cwd=here, env=environment, capture_output=True, text=True, timeout=280, check=False
            )
            if done.returncode:
                raise RuntimeError(f"RUN {words} ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
        else:
            raise ValueError(f"{instruction} is not played here")


def _copy(words: list[str], context: Path, here: Path) -> None:
    *sources, target = words
    for source in sources:
        path, to = context / source, here / target
        if path.is_dir():
            shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to = to / path.name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
