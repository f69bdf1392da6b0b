"""Each image is visited once, and what the plan put side by side stays so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import pytest

from harness.errors import UsageError
from harness.types import Attempt, TaskId
from harness.verbs.supply import refuse_another_order
from harness.visits import GROUP_SHARE, visits

GB = 10**9
TASKS = [TaskId(f"t{number}") for number in range(12)]
IMAGE_OF = {task: f"image-{task}" for task in TASKS}
PLANNED = [
    Attempt(task, condition, repeat)
    for repeat in range(3)
    for task in TASKS
    for condition in ("a", "b")
]


def layered(task: TaskId) -> Mapping[str, int]:
    """Every third task is of the same repository: a base of 4 GB and a layer of its own of 1."""
    repository = int(task[1:]) % 3
    return {"base": 1 * GB, f"repository-{repository}": 3 * GB, f"own-{task}": 1 * GB}


LAYERS = {IMAGE_OF[task]: layered(task) for task in TASKS}


def images(attempts: Sequence[Attempt]) -> Iterator[str]:
    """The images that attempts visit, in their order, each visit once."""
    for image, _ in groupby(IMAGE_OF[attempt.task] for attempt in attempts):
        yield image


def test_what_fits_is_left_as_it_was_planned() -> None:
    made = visits(PLANNED, IMAGE_OF, LAYERS, 22 * GB)
    assert made.attempts == PLANNED
    assert made.says == ""


def test_a_group_of_images_fits_the_disk_and_none_comes_back() -> None:
    disk = 12 * GB
    made = visits(PLANNED, IMAGE_OF, LAYERS, disk)
    assert sorted(made.attempts) == sorted(PLANNED)
    at = {image: number for number, group in enumerate(made.groups) for image in group}
    numbers = [at[IMAGE_OF[attempt.task]] for attempt in made.attempts]
    assert numbers == sorted(numbers), "a group is over before the next one begins"
    for group in made.groups:
        held = {layer: size for image in group for layer, size in LAYERS[image].items()}
        assert sum(held.values()) <= GROUP_SHARE * disk
    assert "groups of images" in made.says


def test_images_that_share_layers_come_together() -> None:
    made = visits(PLANNED, IMAGE_OF, LAYERS, 12 * GB)
    repositories = [{list(LAYERS[image])[1] for image in group} for group in made.groups]
    assert repositories == [{"repository-0"}, {"repository-1"}, {"repository-2"}]


def test_the_conditions_of_a_task_and_repeat_stay_side_by_side_and_repeats_stay_in_order() -> None:
    made = visits(PLANNED, IMAGE_OF, LAYERS, 12 * GB)
    pairs = [made.attempts[i : i + 2] for i in range(0, len(made.attempts), 2)]
    assert all((x.task, x.repeat) == (y.task, y.repeat) for x, y in pairs)
    for task in TASKS:
        repeats = [a.repeat for a in made.attempts if a.task == task]
        assert repeats == sorted(repeats)


def test_images_of_which_nothing_is_known_are_taken_to_be_like_the_others() -> None:
    known = dict(list(LAYERS.items())[:6])
    made = visits(PLANNED, IMAGE_OF, known, 12 * GB)
    assert sorted(made.attempts) == sorted(PLANNED)
    assert len(made.groups) >= 3
    nothing = visits(PLANNED, IMAGE_OF, {}, 9 * GB)
    assert [len(group) for group in nothing.groups] == [2] * 6


def test_an_image_larger_than_a_group_is_a_group_of_its_own() -> None:
    made = visits(PLANNED, IMAGE_OF, LAYERS, 5 * GB)
    assert [len(group) for group in made.groups] == [1] * 12
    assert list(images(made.attempts)) == [group[0] for group in made.groups]


def test_a_run_that_stops_by_what_it_sees_keeps_the_order_of_its_plan() -> None:
    refuse_another_order(visits(PLANNED, IMAGE_OF, LAYERS, 100 * GB))
    with pytest.raises(UsageError, match="--stop-when needs the tasks in random order, and --disk"):
        refuse_another_order(visits(PLANNED, IMAGE_OF, LAYERS, 10 * GB))
