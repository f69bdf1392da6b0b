"""The factorial study: golden values, planted truth, and what a design cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.types import Condition, Part
from results.comparison import compare
from results.crossing import Arm, Crossed, crossing
from results.report.build import build
from results.report.compared import as_text as comparison_text
from results.report.crossing_text import as_lines, sentences
from results.report.markdown import as_markdown
from results.report.text import as_text
from results.stats.components import score_share_errors
from results.stats.factorial import Effect, effects
from results.stats.scores import Array
from tests.unit.golden import study
from tests.unit.run_folders import attempt, declared, graded, stored

HALF = [(0, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1), (0, 1, 1, 0), (0, 1, 0, 1)]
HALF += [(0, 0, 1, 1), (1, 1, 1, 1)]
FULL = [(a, b) for a in (0, 1) for b in (0, 1)]


def cells(at: list[tuple[int, ...]]) -> list[dict[str, str]]:
    return [{"abcd"[i]: "-+"[level] for i, level in enumerate(row)} for row in at]


def world(
    at: list[tuple[int, ...]], rates: Array, *, tasks: int, runs: int, seed: int
) -> list[Array]:
    """Runs of each cell, all tasks alike hard but for a share that differs between tasks."""
    rng = np.random.default_rng(seed)
    hard = 0.2 * rng.standard_normal(tasks).clip(-1.2, 1.2)
    return [
        (rng.random((tasks, runs)) < np.clip(rate + hard, 0, 1)[:, None]).astype(float)
        for rate in rates
    ]


def by_name(found: tuple[Effect, ...]) -> Mapping[str, Effect]:
    return {effect.name: effect for effect in found}


def test_main_effects_and_interactions_are_differences_of_cells() -> None:
    tables = [np.array([[float(v)]] * 3) for v in (0.1, 0.3, 0.2, 0.8)]
    tables = [t + np.array([[0.0], [0.01], [0.02]]) * i for i, t in enumerate(tables)]
    found = by_name(effects(tables, cells(FULL), None, margin=0.02))
    mean = [float(t.mean()) for t in tables]
    assert found["a"].new_issues.value == pytest.approx((mean[2] + mean[3] - mean[0] - mean[1]) / 2)
    assert found["b"].new_issues.value == pytest.approx((mean[1] + mean[3] - mean[0] - mean[2]) / 2)
    assert found["a x b"].new_issues.value == pytest.approx(
        (mean[0] + mean[3] - mean[1] - mean[2]) / 2
    )
    assert found["a"].new_repos.reason and found["a"].rerun.low is None


def test_half_a_design_finds_what_was_planted_and_says_what_it_cannot_tell() -> None:
    rates = np.array([0.4 + 0.10 * row[0] - 0.05 * row[1] for row in HALF])
    tables = world(HALF, rates, tasks=600, runs=2, seed=1)
    found = by_name(effects(tables, cells(HALF), None, margin=0.02))
    for name, truth in (("a", 0.10), ("b", -0.05), ("c", 0.0), ("d", 0.0)):
        value = found[name].new_issues
        assert value.low is not None and value.high is not None
        assert value.low < truth < value.high and value.high - value.low < 0.06
        assert found[name].aliases == ()
    assert (found["a"].word, found["b"].word) == ("better", "worse")
    assert found["a x b"].aliases == ("c x d",) and found["a x d"].aliases == ("b x c",)


def test_effects_that_are_not_crossed_are_none_with_the_reason() -> None:
    at = [(0, 0), (1, 0), (1, 1)]
    tables = world(at, np.array([0.4, 0.5, 0.6]), tasks=50, runs=1, seed=2)
    found = by_name(effects(tables, cells(at), None, margin=0.02))
    assert (
        found["a"].new_issues.value is None and "not crossed with b" in found["a"].new_issues.reason
    )
    assert "a x b" not in found


@pytest.mark.parametrize("truth", [0.0, 0.06])
def test_the_interval_of_an_effect_covers_new_issues(truth: float) -> None:
    held, level = 0, np.array([0.45, 0.45, 0.45 + truth, 0.45 + truth])
    for seed in range(300):
        tables = world(FULL, level, tasks=80, runs=1, seed=seed)
        value = by_name(effects(tables, cells(FULL), None, margin=0.02))["a"].new_issues
        held += value.low is not None and value.high is not None and value.low < truth < value.high
    assert 0.92 < held / 300 < 0.98


def arms() -> list[Arm]:
    data = study()
    return [
        Arm(
            Condition(Part(m), Part(s), Part("docker")),
            [list(row) for row in data.table(m, s)],
        )
        for m in ("m0", "m1", "m2")
        for s in ("s0", "s1")
    ]


def golden_study() -> Crossed:
    found = crossing(arms(), [str(repo) for repo in study().repos])
    assert found is not None
    return found


def test_a_crossed_study_says_how_much_is_scaffold() -> None:
    found = golden_study()
    assert found.variance is not None
    assert found.variance.score["model"] == pytest.approx(0.652, abs=0.001)
    assert found.variance.all_scaffold == pytest.approx(0.348, abs=0.001)
    assert 0.05 < found.variance.score_se["all_scaffold"] < 0.4
    said = "\n".join(as_lines(found, 100))
    assert "how much of the score is scaffold: 35% (SE" in said
    assert "scaffold: s1 instead of s0 brings -9." in said
    assert "reliability of the ranking of models on 120 tasks" in said
    assert all(len(line) <= 100 for line in as_lines(found, 100))


def test_conditions_that_differ_in_limits_or_in_the_model_alone_are_no_study() -> None:
    repos = [str(repo) for repo in study().repos]
    assert crossing(arms()[::2], repos) is None
    assert crossing(arms()[:1], repos) is None
    assert crossing([arms()[0], arms()[3]], repos) is None, "one scaffold each is not crossed"
    found = crossing(arms()[:2], repos)
    assert found is not None and found.variance is None
    assert any("not known" in text for text in sentences(found))


def test_the_errors_of_shares_need_scores_that_differ() -> None:
    same = np.ones((40, 2, 2, 2))
    assert score_share_errors(same, None, rng=np.random.default_rng(0)) == {}


def test_a_report_and_a_comparison_of_a_crossed_run_answer_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    call = declared(30, "editor", "bash")
    records = [
        graded(attempt(f"t{i}", scaffold=name), bool(rng.random() < rate))
        for i in range(30)
        for name, rate in (("editor", 0.8), ("bash", 0.2))
    ]
    folder = tmp_path / "run"
    stored(folder, call, records)
    report = build(folder)
    assert "scaffold: bash instead of editor brings" in as_text(report).replace("\n  ", " ")
    assert "bash instead of editor" in as_markdown(report, "run").replace("\\", "")
    assert "bash instead of editor" in comparison_text(compare([folder])).replace("\n  ", " ")
    assert isinstance(report.crossed, Crossed)
