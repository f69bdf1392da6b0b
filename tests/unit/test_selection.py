"""A selection is stable, composable, and says so when it finds nothing."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.types import Brief, Environment, Task, TaskId
from tasks.selection import select


def task(name: str, repo: str, language: str) -> Task:
    brief = Brief(TaskId(name), "", Environment("i", "/app"))
    return Task(brief, {}, "local", "t", {"repo": repo, "language": language})


TASKS = [
    *(task(f"ansible-{n}", "ansible/ansible", "python") for n in range(20)),
    *(task(f"flipt-{n}", "flipt-io/flipt", "go") for n in range(10)),
    *(task(f"vuls-{n}", "future-architect/vuls", "go") for n in range(5)),
]


def ids(tasks: list[Task]) -> list[str]:
    return [str(each.id) for each in tasks]


def test_no_terms_leave_everything_in_order() -> None:
    assert select(TASKS) == TASKS


def test_patterns_of_ids_add_up_and_keep_the_order() -> None:
    assert ids(select(TASKS, globs=["vuls-[01]", "flipt-3"])) == ["flipt-3", "vuls-0", "vuls-1"]


def test_values_of_one_facet_add_up_and_different_facets_narrow() -> None:
    assert len(select(TASKS, globs=["repo=ansible/*", "repo=flipt-io/flipt"])) == 30
    assert len(select(TASKS, globs=["language=go", "repo=flipt-io/flipt"])) == 10
    assert ids(select(TASKS, globs=["*-4", "language=go"])) == ["flipt-4", "vuls-4"]


def test_a_sample_depends_on_the_seed_and_not_on_the_order() -> None:
    first = select(TASKS, globs=["sample:7:seed=1"])
    again = select(TASKS[::-1], globs=["sample:7:seed=1"])
    other = select(TASKS, globs=["sample:7:seed=2"])
    assert len(first) == 7 and set(ids(first)) == set(ids(again)) != set(ids(other))
    assert ids(first) == [i for i in ids(TASKS) if i in ids(first)]


def test_a_larger_sample_holds_the_smaller_one() -> None:
    assert set(ids(select(TASKS, globs=["sample:5"]))) < set(ids(select(TASKS, globs=["sample:9"])))


def test_a_sample_is_drawn_from_what_the_other_terms_leave() -> None:
    assert all(i.startswith("vuls") for i in ids(select(TASKS, globs=["sample:3", "vuls-*"])))


def test_a_limit_keeps_the_first() -> None:
    assert select(TASKS, limit=3) == TASKS[:3]
    assert select(TASKS, limit=0) == []


@pytest.mark.parametrize("parts", [1, 3, 50])
def test_shards_are_disjoint_and_together_the_whole(parts: int) -> None:
    shards = [ids(select(TASKS, shard=f"{n}/{parts}")) for n in range(1, parts + 1)]
    assert sorted(i for shard in shards for i in shard) == sorted(ids(TASKS))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    ("terms", "shard", "says"),
    [
        (["ansibel-3"], "", "ansible-3"),
        (["nsible-1"], "", "ansible-1"),
        (["repo=ansible/ansibl"], "", "ansible/ansible"),
        (["size=big"], "", "language, repo"),
        (["sample:some"], "", "sample:20"),
        ([], "0/3", "1/4"),
        ([], "4/3", "1/4"),
        ([], "x", "1/4"),
    ],
)
def test_a_term_that_makes_no_sense_is_one_line_that_says_what_would(
    terms: list[str], shard: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select(TASKS, globs=terms, shard=shard)
    assert says in str(caught.value) and "\n" not in str(caught.value)
