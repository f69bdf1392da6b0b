"""Real files of real systems, where they lie beside this checkout: never copied here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.verbs.reading import declared
from results.comparison import Compared, Comparison, compare
from results.exchange.imported import Declaration, taken
from results.exchange.pro import EvalResults
from results.exchange.tables import Table
from results.report.compared import as_text
from results.table import histories, laid, summarise
from tests.unit.golden import FOLDER
from tests.unit.run_folders import BY

VERDICTS, ROWS = FOLDER / "data" / "verdicts", FOLDER / "data" / "swe_bench_pro" / "test.jsonl"
COSTS = FOLDER / "data" / "costs_oct2025.csv"
S45, S4, OPUS = "claude-45sonnet-10132025", "claude-4sonnet-10132025", "claude-opus-4-1-paper"
AGAIN, GPT5, GPTOSS = "claude-sonnet-4-paper", "gpt-5-250-turns-10132025", "gptoss-paper"
GEMINI, KIMI = "gemini-2-5-pro-preview-paper", "kimi-k2-instruct-10132025"
SCORES = {  # solved, measured, score, its interval, bounds
    S45: (319, 730, 43.7, 40.1, 47.3, 43.7, 43.7),
    S4: (240, 562, 42.7, 38.7, 46.8, 32.9, 55.9),
    GPT5: (265, 729, 36.4, 32.9, 39.9, 36.3, 36.4),
    KIMI: (202, 729, 27.7, 24.6, 31.1, 27.7, 27.8),
    AGAIN: (166, 663, 25.0, 21.9, 28.5, 22.7, 31.9),
    OPUS: (162, 663, 24.4, 21.3, 27.8, 22.2, 31.4),
    GPTOSS: (118, 728, 16.2, 13.7, 19.1, 16.2, 16.4),
    GEMINI: (90, 719, 12.5, 10.3, 15.1, 12.3, 13.8),
    "gpt-4o-paper": (36, 619, 5.8, 4.2, 7.9, 4.9, 20.1),
}
RANKS = {S45: (1, 2), S4: (1, 3), GPT5: (2, 3), GPTOSS: (7, 8), GEMINI: (7, 8)}
RANKS |= dict.fromkeys((KIMI, AGAIN, OPUS), (4, 6)) | {"gpt-4o-paper": (9, 9)}


def here(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared/data)")
    return path


@cache
def public() -> Declaration:
    """The 730 of 731 public issues that any run has."""
    found = declared(f"swebench-pro,file={here(ROWS)}")
    assert found and len(found.tasks) == 731
    seen = {task for path in here(VERDICTS).glob("*.json") for task in json.loads(path.read_text())}
    tasks = {task: value for task, value in found.tasks.items() if task in seen}
    assert len(tasks) == 730
    return Declaration(tasks)


@cache
def board() -> Compared:
    paths = sorted(here(VERDICTS).glob("*.json"))
    return compare([taken(EvalResults().read(path), public(), BY) for path in paths])


def between(first: str, second: str) -> Comparison:
    names = [system.run for system in board().systems]
    places = names.index(first), names.index(second)
    return next(pair for pair in board().pairs if (pair.first, pair.second) == places)


def test_nine_official_runs_have_the_scores_intervals_and_bounds_found_elsewhere() -> None:
    for system in board().systems:
        rate, bounds = system.score.rate, system.score.bounds
        assert bounds and rate.value and rate.low and rate.high
        percents = [round(100 * x, 1) for x in (rate.value, rate.low, rate.high, *bounds)]
        assert (system.score.resolved, rate.n, *percents) == SCORES[system.run], system.run


def test_nine_official_runs_have_the_ranks_found_elsewhere() -> None:
    names = [system.run for system in board().systems]
    assert {names[i]: (r.best, r.worst) for i, r in enumerate(board().ranks)} == RANKS


def test_of_36_pairs_31_differ_after_holm() -> None:
    assert len(board().pairs) == 36
    separable = [pair for pair in board().pairs if pair.p_holm is not None and pair.p_holm < 0.05]
    assert len(separable) == 31
    assert sum((pair.difference.p.p or 0) < 0.05 for pair in board().pairs) == 32


PAIRS = [  # shared, solved by one alone and by the other, points with their interval
    (S45, S4, 562, 59, 47, 2.1, -1.5, 5.8),
    (S45, GPT5, 729, 113, 59, 7.4, 3.9, 10.9),
    (S4, GPT5, 562, 86, 53, 5.9, 1.8, 10.0),
    (S45, KIMI, 729, 157, 40, 16.0, 12.5, 19.7),
    (GPT5, KIMI, 728, 119, 56, 8.7, 5.2, 12.2),
    (OPUS, AGAIN, 663, 10, 14, -0.6, -2.2, 0.9),
    (OPUS, KIMI, 663, 86, 105, -2.9, -7.0, 1.2),
    (GEMINI, GPTOSS, 717, 61, 89, -3.9, -7.3, -0.6),
]


@pytest.mark.parametrize("golden", PAIRS, ids=[f"{a} - {b}" for a, b, *_ in PAIRS])
def test_pairs_near_the_decision_come_out_as_was_found_elsewhere(golden: tuple[Any, ...]) -> None:
    first, second, *figures = golden
    pair = between(first, second)
    table, found = pair.difference.pairs, pair.difference.new_issues
    assert table
    percents = [round(100 * (x or 0), 1) for x in (found.value, found.low, found.high)]
    assert [pair.shared, table.first, table.second, *percents] == figures


def test_one_run_graded_twice_is_noticed_and_nothing_else_is() -> None:
    pair = between(OPUS, AGAIN)
    assert pair.agreement == pytest.approx(0.964, abs=5e-4)
    assert [(p.first, p.second) for p in board().pairs if p.alike] == [(pair.first, pair.second)]
    others = sorted(p.agreement or 0 for p in board().pairs)
    assert others[-2] == pytest.approx(0.862, abs=5e-4)
    assert "same verdict on 96.4% of 663 tasks" in " ".join(as_text(board()).split())


def test_562_of_730_is_told_with_what_the_other_168_could_do() -> None:
    run = taken(EvalResults().read(here(VERDICTS) / f"{S4}.json"), public(), BY)
    (found,) = summarise(run.manifest, laid(run.manifest, histories(run.records)))
    assert (found.raw.planned, found.raw.graded, found.owed) == (730, 562, 168)
    assert found.raw.rate.value == pytest.approx(240 / 562)
    assert found.raw.bounds == pytest.approx((240 / 730, 408 / 730))


def test_ids_outside_the_public_set_are_not_counted() -> None:
    paths = [here(VERDICTS) / f"{name}.json" for name in (OPUS, GEMINI)]
    strange = [len(taken(EvalResults().read(path), public(), BY).strange) for path in paths]
    assert strange == [228, 236]


def test_a_solved_issue_costs_what_was_found_elsewhere() -> None:
    found = compare([taken(Table().read(here(COSTS)), public(), BY)])
    (pair,) = found.pairs
    assert [system.label.split(" ")[0] for system in found.systems] == [
        "gpt-5",
        "claude-sonnet-4.5",
    ]
    assert pair.shared == 729
    answers = [pair.costs.first, pair.costs.second]
    dollars = [[round(x or 0, 2) for x in (a.value, a.low, a.high)] for a in answers]
    assert dollars == [[4.98, 4.47, 5.59], [26.00, 23.78, 28.58]]
    assert 1 / (pair.costs.ratio.value or 1) == pytest.approx(5.22, abs=0.005)


def test_the_data_set_is_the_denominator_though_no_run_has_one_of_its_issues() -> None:
    whole = declared(f"swebench-pro,file={here(ROWS)}")
    run = taken(EvalResults().read(here(VERDICTS) / f"{S4}.json"), whole, BY)
    (found,) = summarise(run.manifest, laid(run.manifest, histories(run.records)))
    assert (found.raw.planned, found.raw.graded, found.owed) == (731, 562, 169)
    assert found.raw.bounds == pytest.approx((240 / 731, 409 / 731))
    assert found.raw.rate.value == pytest.approx(240 / 562), "the same, of measured tasks"
