"""Attacks and honest submissions: a few graded here, all of them by `python -m tests.attacks`."""

from __future__ import annotations

import os
import re

import pytest

from harness.errors import Fault
from harness.sandboxes.docker import Docker
from tests.attacks import cases, targets
from tests.attacks.__main__ import README
from tests.attacks.running import Plan, run

# One of each kind that only a real runner can show; two tasks, so that few images are needed.
SMOKE = (
    "conftest-outcome",
    "plugin-for-known-names",
    "equal-to-everything",
    "answer-read-off-the-caller",
    "daemon-mends-report",
    "runner-protocol-spoken",
    "gold-humanize",
    "tests-added",
    "other-words-semver",
    "wrong-way-semver",
)
SET = cases.load()


@pytest.mark.anyio
@pytest.mark.docker
async def test_some_of_the_set_are_told_apart() -> None:
    chosen = [case for case in SET if case.id in SMOKE]
    assert len(chosen) == len(SMOKE)
    tasks, boxes = targets.load(), Docker(run_id="test-attacks")
    try:
        for name in sorted({case.task for case in chosen}):
            await boxes.prepare(tasks[name].brief.environment)
    except Fault as fault:
        if os.environ.get("HARNESS_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"the images of the bundled tasks cannot be built here: {fault.message[-200:]}")
    outcomes = await run(chosen, tasks, boxes, Plan())
    wrong = {
        o.case.id: (o.standing, o.verdict) for o in outcomes if o.standing != "as it should be"
    }
    assert not wrong


def test_the_table_names_every_case_of_the_set_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| `([\w-]+)` \|", README.read_text())
    assert sorted(rows) == sorted(case.id for case in SET), "run python -m tests.attacks --write"


def test_the_set_is_large_enough_and_in_both_languages() -> None:
    tasks = targets.load()
    for kinds, least in ((("attack",), 45), (("right",), 45), (("right", "wrong"), 45)):
        chosen = [case for case in SET if case.kind in kinds]
        assert len(chosen) >= least
        languages = {targets.language(tasks[case.task]) for case in chosen}
        assert languages == {"python", "javascript"}


def test_what_gets_through_is_told_in_words() -> None:
    told = README.read_text().partition("<!--")[0]
    assert all(f"`{case.id}`" in told for case in SET if case.open)
