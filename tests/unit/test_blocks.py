from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness import design
from harness.blocks import block, in_blocks
from harness.errors import Parked, UsageError
from harness.executors.local import Local
from harness.experiment import Experiment, checked, read
from harness.limits import RunLimits
from harness.meter import RunMeter
from harness.ration import Ration
from harness.runner import run
from harness.types import Attempt, Clocks, Ending, Graded, Part, Record, TaskId, Usage, Verdict
from results.store import RunStore

TASKS = [TaskId(f"t{i}") for i in range(12)]
FOUR = {"calls": ("native", "xml"), "retry": ("explain:3", "none"), "context": ("all", "elide:5")}
FOUR |= {"tools": ("bash", "bash+editor")}
BASE = Experiment(Part("demo"), (Part("m"),), (Part("bash"),))


def test_a_block_is_one_task_under_every_condition_and_a_repeat_ends_before_the_next() -> None:
    plan = in_blocks(TASKS, ["a", "b", "c"], repeats=2, seed=0)
    blocks = [plan[i : i + 3] for i in range(0, len(plan), 3)]
    assert all(len({block(a) for a in those}) == 1 for those in blocks)
    assert all({a.condition for a in those} == {"a", "b", "c"} for those in blocks)
    assert [those[0].repeat for those in blocks] == [0] * 12 + [1] * 12
    assert len(set(plan)) == len(plan) == 72


def test_each_condition_comes_first_second_and_third_equally_often() -> None:
    plan = in_blocks(TASKS, ["a", "b", "c"], repeats=1, seed=3)
    places = Counter((i % 3, attempt.condition) for i, attempt in enumerate(plan))
    assert set(places.values()) == {4}


def test_the_order_is_that_of_its_seed_and_new_tasks_do_not_move_the_others() -> None:
    def order(tasks: list[TaskId], seed: int) -> list[TaskId]:
        return [a.task for a in in_blocks(tasks, ["a"], repeats=1, seed=seed)]

    assert order(TASKS, 0) == order(TASKS, 0) != order(TASKS, 1)
    grown = order([*TASKS, TaskId("new"), TaskId("newer")], 0)
    assert [task for task in grown if task in TASKS] == order(TASKS, 0)


def test_factors_are_crossed_with_models_and_scaffolds() -> None:
    wanted = replace(
        BASE,
        models=(Part("m"), Part("n")),
        scaffolds=(Part("bash"), Part("editor")),
        factors={"context": ("all", "elide:5"), "retry": ("explain:3", "none")},
    )
    labels = [condition.label for condition in checked(wanted).conditions]
    assert len(set(labels)) == 16
    assert labels[0] == "m + bash,context=all,retry=explain:3"
    assert labels[-1] == "n + editor,context=elide:5,retry=none"


def test_half_a_design_is_balanced_in_every_factor_and_every_pair() -> None:
    cells = list(design.levels(FOUR, "half"))
    assert len(cells) == 8 and {name: levels[0] for name, levels in FOUR.items()} in cells
    names = list(FOUR)
    for i, one in enumerate(names):
        assert set(Counter(cell[one] for cell in cells).values()) == {4}
        for other in names[i + 1 :]:
            assert set(Counter((c[one], c[other]) for c in cells).values()) == {2}


def test_a_design_says_its_resolution_and_what_it_cannot_tell_apart() -> None:
    said = "\n".join(design.explained(FOUR, "half"))
    assert "half of 2 x 2 x 2 x 2 combinations, resolution IV" in said
    assert "calls x retry cannot be told from context x tools" in said
    three = {name: FOUR[name] for name in ("calls", "retry", "context")}
    assert "the effect of calls cannot be told from the interaction retry x context" in "\n".join(
        design.explained(three, "half")
    )
    assert "resolution V" in design.explained({**FOUR, "output": ("all", "head:1")}, "half")[0]
    assert "every effect on its own" in design.explained(three, "full")[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"factors": {"context": ("all",)}}, "needs two levels"),
        ({"factors": {"context": ("all", "all")}}, "needs two levels"),
        ({"factors": {"a": (1, 2)}, "scaffolds": (Part("bash", {"a": 1}),)}, "also set in"),
        ({"factors": {"a": (1, 2), "b": (1, 2)}, "design": "half"}, "three factors or more"),
        ({"factors": dict.fromkeys("abc", (1, 2, 3)), "design": "half"}, "two levels each"),
    ],
)
def test_factors_that_make_no_design_get_one_line(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked(replace(BASE, **wrong))  # type: ignore[arg-type]


def test_a_file_says_factors_and_design(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    text = 'tasks = "demo"\nmodels = ["m"]\nscaffolds = ["bash"]\ndesign = "half"\n[factors]\n'
    path.write_text(text + "".join(f"{name} = {list(v)}\n" for name, v in FOUR.items()))
    assert len(read(path).conditions) == 8
    path.write_text(text.replace('"half"', '"quarter"'))
    with pytest.raises(UsageError, match="design"):
        read(path)


def graded(attempt: Attempt, usd: float) -> Graded:
    usage = Usage(usd=usd)
    return Graded(attempt, Verdict(True, "resolved"), Ending.SUBMITTED, usage, Clocks())


async def ended(folder: Path, limit: float, *, width: int, known: float | None = None) -> set[str]:
    """Work 12 blocks of three off at a dollar each, and say how much of each block was settled."""
    plan = in_blocks(TASKS, ["a", "b", "c"], repeats=1, seed=0)
    meter = RunMeter(RunLimits(usd=limit))
    ration = Ration(meter, [] if known is None else [graded(a, known) for a in plan[-3:]])

    async def work(attempt: Attempt) -> Record:
        if meter.exhausted():
            raise Parked("spent")
        meter.charge(Usage(usd=1.0))
        return graded(attempt, 1.0)

    with RunStore(folder) as store:
        await run(plan, work, store, Local(width), ration.settled, ration.begin)
        done = Counter(record.attempt.task for record in store.records())
    assert sum(done.values()) <= limit
    return {str(done[task]) for task in TASKS}


@pytest.mark.anyio
@pytest.mark.parametrize("width", [1, 4])
async def test_a_budget_that_ends_a_run_ends_it_at_a_whole_block(
    tmp_path: Path, width: int
) -> None:
    assert await ended(tmp_path, 20.0, width=width) == {"0", "3"}


@pytest.mark.anyio
async def test_a_run_begins_its_first_block_on_any_budget_that_is_not_spent(
    tmp_path: Path,
) -> None:
    assert await ended(tmp_path, 2.0, width=1, known=5.0) == {"0", "2"}


@pytest.mark.parametrize(("limit", "begun"), [(9.9, 1), (10.1, 1), (10.9, 2)])
def test_what_comes_is_foreseen_with_a_margin_of_two_standard_deviations(
    limit: float, begun: int
) -> None:
    plan = in_blocks(TASKS, ["a"], repeats=1, seed=0)
    known = [graded(plan[0], 1.0), graded(plan[1], 3.0)]
    ration = Ration(RunMeter(RunLimits(usd=limit), Usage(usd=4.0)), known)
    # Two under way at 2 dollars each, give or take 1: four, and 2 times the root of 2.
    assert len(list(ration.begin(plan[2:4]))) == begun
    assert ration.refused is (begun == 1)
