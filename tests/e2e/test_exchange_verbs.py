"""import, export and compare as processes; tests/unit/test_exchange_calls.py looks closer."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.predictions import read
from tests.e2e.commands import harness
from tests.unit import exchange_sources as foreign
from tests.unit.exchange_sources import TASKS, write


def test_anyones_patches_come_in_go_out_and_are_compared(tmp_path: Path) -> None:
    source = foreign.swe_agent(tmp_path / "agent")
    verdicts = write(tmp_path / "v.json", {TASKS[0]: True, TASKS[1]: False})
    told = f"swe-agent,verdicts={verdicts}"
    done = harness("import", source, "--format", told, "--into", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gpt-x + swe-agent (imported, swe-agent + pro)" in done.stdout
    sent = harness("export", "run", "--format", "swebench", "--into", "out.jsonl", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    patches = {p.instance_id: p.patch for p in read(tmp_path / "out.jsonl")}
    assert patches[TASKS[0]] == foreign.PATCH.encode(errors="surrogateescape")
    both = harness("compare", "run", "v.json", "--json", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert [system["run"] for system in json.loads(both.stdout)["systems"]] == ["run", "v"]


def test_published_figures_need_no_run(tmp_path: Path) -> None:
    alone = harness("compare", "--published", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert "427 of 731" in alone.stdout


def test_a_request_that_makes_no_sense_is_one_line_and_exit_2(tmp_path: Path) -> None:
    write(tmp_path / "cut.json", '{"a": tr')
    for words in (("import", "cut.json"), ("compare",)):
        done = harness(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("harness: ") and done.stderr.count("\n") == 1
