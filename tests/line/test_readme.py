"""The README's commands do what it says, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import deeppersona as dp

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_shell_commands_run(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [b for b in blocks("sh") if "make demo" not in b]
    assert len(commands) >= 2
    for block in commands:
        done = subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for name in ("kenya", "nurses", "health", "deep"):
        assert (tmp_path / "runs" / name / "index.html").stat().st_size > 10_000
    assert (tmp_path / "runs" / "kenya" / "export-hf" / "README.md").exists()


def test_the_notebook_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "age_sex_education" in done.stdout or "occupations" in done.stdout


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", blocks("sh")[0], re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_no_placeholder_is_left() -> None:
    assert not re.search(r"\b(PORTRAIT|FIGURES|ATTRIBUTES|OPTIONS)\b", README)


def test_the_portrait_shown_is_the_one_made() -> None:
    shown = " ".join(line[2:] for line in README.splitlines() if line.startswith("> "))
    person = dp.generate(4, "KE", seed=7)[3]
    assert shown == " ".join(person.narrative.split())
