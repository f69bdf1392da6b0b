"""What is not equal between a scaffold of ours and somebody's agent is said wherever they meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from results.comparison import compare
from results.footing import footing
from results.report.build import build
from results.report.compared import as_json, as_text
from results.report.page.whole import page
from results.report.plain import as_json as plain
from results.store import RunStore
from tests.unit.run_folders import attempt, declared, graded, stored

FACTS: dict[str, Any] = {
    "agent": "codex",
    "agent_version": "1.2.3",
    "agent_wire": "responses",
    "agent_models": {"m-large": 4, "m-small": 1},
    "agent_calls_aside": 1,
    "agent_settings": {"reasoning": ['{"effort": "high"}'], "store": ["false"]},
    "agent_unequal": ["compacts by itself", "has its own prompt"],
}
OTHER = {**FACTS, "agent_models": {"m-large": 3}, "agent_settings": {"store": ["true"]}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    records = [
        graded(attempt("t0", scaffold="codex"), True, facts=FACTS),
        graded(attempt("t1", scaffold="codex"), False, facts=OTHER),
        graded(attempt("t0"), True),
        graded(attempt("t1"), True),
    ]
    return stored(tmp_path / "run", declared(2, "codex", "editor"), records).folder


SENTENCE = (
    "codex 1.2.3 over the responses wire has the limits, the meter and the grading of any scaffold "
    "here; what cannot be made equal, or was not: it compacts by itself; it has its own prompt; it "
    "called its model m-large (7), m-small (1); it made 2 of 8 calls without tools, beside its "
    'work; it set of the model: reasoning = {"effort": "high"}, store = false or true'
)


def test_a_report_a_comparison_and_the_page_say_it_once_for_each_condition(run: Path) -> None:
    report, compared = build(RunStore(run)), compare([run])
    for said in (" ".join(report.notes), " ".join(as_text(compared, width=2000).split())):
        assert f"#1: {SENTENCE}" in said and said.count("has the limits") == 1
    assert "m-small (1)" in page(
        [run], typed=["run"], beside=run
    ) and "without tools, beside its work" in page([run], typed=["run"], beside=run)


def test_it_is_data_for_a_machine_too(run: Path) -> None:
    hosted, ours = plain(build(RunStore(run)))["conditions"]
    assert ours["footing"] is None and ours["unequal"] == []
    assert hosted["footing"]["asked_for"] == {"m-large": 7, "m-small": 1}
    assert hosted["footing"]["settings"]["store"] == ["false", "true"]
    assert hosted["unequal"] == hosted["footing"]["unequal"] == FACTS["agent_unequal"]
    assert as_json(compare([run]))["systems"][0]["footing"] == hosted["footing"]


def test_a_scaffold_of_ours_has_none() -> None:
    assert footing([graded(attempt("t0"), True, facts={"scaffold_code": "a"})]) is None
