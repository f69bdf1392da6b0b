from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.experiment import Experiment, Pair, checked, named_pair
from harness.types import Attempt, Part, TaskId
from results.deciding import Question, decided
from results.manifest import Stop
from results.report.build import build
from tests.unit.run_folders import attempt, condition, declared, graded, stored

TASKS = [TaskId(f"t{i}") for i in range(400)]
ASKED = Question("a", "b", 0.02, 0.05, TASKS, 1)


def outcomes(
    rates: tuple[float, float], seed: int, *, repeats: int = 1, tasks: int = 400
) -> dict[Attempt, bool]:
    rng = np.random.default_rng(seed)
    return {
        Attempt(task, name, repeat): bool(rng.random() < rate)
        for repeat in range(repeats)
        for task in TASKS[:tasks]
        for name, rate in zip("ab", rates, strict=True)
    }


def looked(verdicts: dict[Attempt, bool], asked: Question = ASKED) -> tuple[Stop | None, int]:
    """What a look after each block says, and after how many it says it."""
    seen: dict[Attempt, bool] = {}
    for done, task in enumerate(asked.tasks, 1):
        seen |= {key: v for key, v in verdicts.items() if key.task == task and key.repeat == 0}
        if found := decided(asked, seen, ()):
            return found, done
    return None, len(asked.tasks)


def test_a_large_difference_is_decided_early_and_the_right_way_round() -> None:
    found, blocks = looked(outcomes((0.7, 0.3), 1))
    assert found is not None and (found.word, found.question) == ("better", "B")
    assert blocks < 150 and found.e is not None and found.e >= 20
    assert found.low < 0.4 < found.high
    other, _ = looked(outcomes((0.3, 0.7), 1))
    assert other is not None and other.word == "worse"


def test_equals_are_rarely_decided_however_often_one_looks() -> None:
    few = replace(ASKED, tasks=TASKS[:120])
    words = [looked(outcomes((0.5, 0.5), seed, tasks=120), few)[0] for seed in range(60)]
    wrong = [found for found in words if found and found.word in ("better", "worse")]
    assert len(wrong) <= 0.1 * 60


def test_what_cannot_be_decided_any_more_is_futile_and_only_late() -> None:
    even = {
        Attempt(t, name, 0): (i % 2 == 0) == (name == "a")
        for i, t in enumerate(TASKS)
        for name in "ab"
    }
    found, blocks = looked(even)
    assert found is not None and found.word == "futile" and blocks > 40
    assert decided(ASKED, dict(list(even.items())[:30]), ()) is None


def test_a_block_under_way_hides_those_after_it_and_one_that_faulted_does_not() -> None:
    verdicts = {Attempt(t, name, 0): name == "a" for t in TASKS[:60] for name in "ab"}
    late = {key: v for key, v in verdicts.items() if key.task != TASKS[0]}
    assert decided(ASKED, verdicts, ()) is not None
    assert decided(ASKED, late, ()) is None
    assert decided(ASKED, late, {Attempt(TASKS[0], "a", 0)}) is not None


def test_after_one_pass_the_question_is_a_rerun() -> None:
    asked = replace(ASKED, repeats=5, margin=0.001)
    rng = np.random.default_rng(3)
    hard = rng.random(400)
    verdicts = {
        Attempt(task, name, repeat): bool(rng.random() < hard[i] * (0.95 if name == "a" else 0.8))
        for repeat in range(5)
        for i, task in enumerate(TASKS)
        for name in "ab"
    }
    first = {key: v for key, v in verdicts.items() if key.repeat == 0}
    found = decided(asked, first, ()) or decided(asked, verdicts, ())
    assert found is not None and (found.word, found.question) == ("better", "A")
    same = {key: verdicts[replace(key, condition="a")] for key in verdicts}
    assert decided(replace(asked, repeats=1), same, ()) is None


def test_the_pair_is_named_by_label_or_is_the_only_one() -> None:
    two = Experiment(
        Part("demo"), (Part("m"),), (Part("bash"), Part("editor")), stop_when="decided"
    )
    first, second = named_pair(two)
    assert (first.label, second.label) == ("m + bash", "m + editor")
    three = replace(two, scaffolds=(*two.scaffolds, Part("nop")))
    with pytest.raises(UsageError, match="which two"):
        checked(three)
    named = replace(three, decide=Pair("m + nop", "m + editor"))
    assert [c.label for c in named_pair(named)] == ["m + nop", "m + editor"]
    with pytest.raises(UsageError, match="did you mean m \\+ editor"):
        checked(replace(three, decide=Pair("m + nop", "m + editr")))


def test_a_report_says_that_a_run_was_stopped_and_what_stays_valid(tmp_path: Path) -> None:
    stop = Stop(
        condition("editor").digest,
        condition("bash").digest,
        "better",
        "B",
        0.3,
        0.1,
        0.5,
        40,
        20,
        8,
        25.0,
        0.05,
        0.02,
        "2026-01-01T00:00:00+00:00",
    )
    store = stored(tmp_path / "run", declared(5, "editor", "bash"), [graded(attempt("t0"), True)])
    with store:
        store.stopped(stop)
        store.stopped(stop)
    assert store.manifest().stops == (stop,)
    said = "\n".join(build(tmp_path / "run").notes)
    assert "stopped early" in said and "#1 - #2" in said and "[+10.0, +50.0]" in said
    assert "fixed beforehand" in said
