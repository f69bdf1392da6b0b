"""Which tasks: by id, by facet, by a stable sample, by shard."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.types import Task

_SAMPLE = re.compile(r"sample:(\d+)(?::seed=(\w+))?")
SUBSET = "subset:"
_SHARD = re.compile(r"(\d+)/(\d+)")


def select(
    tasks: Sequence[Task],
    *,
    globs: Sequence[str] = (),
    limit: int | None = None,
    shard: str = "",
) -> list[Task]:
    """The tasks that the terms leave, in the order in which they came.

    A term is a pattern of ids (`ansible*`; several: any of them), `facet=pattern`
    (`repo=ansible/ansible`; several of one facet: any, of different facets: all), or
    `sample:N:seed=S`, which is drawn last and does not depend on the order of the tasks, or
    `subset:FILE`, the ids that `harness tasks subset` drew. Then
    `limit` keeps the first, and `shard` "2/5" the second of five disjoint parts of the rest.
    """
    chosen, globs = _within_subset(tasks, globs)
    samples = [term for term in globs if term.startswith("sample:")]
    facets: dict[str, list[str]] = {}
    patterns: list[str] = []
    for term in globs:
        name, equals, pattern = term.partition("=")
        if term in samples:
            continue
        if equals:
            facets.setdefault(name, []).append(pattern)
        else:
            patterns.append(term)
    if patterns:
        chosen = _by_id(chosen, patterns)
    for name, wanted in facets.items():
        chosen = _by_facet(chosen, name, wanted)
    for term in samples:
        chosen = _sample(chosen, term)
    return _shard(chosen if limit is None else chosen[: max(0, limit)], shard)


def _within_subset(tasks: Sequence[Task], globs: Sequence[str]) -> tuple[list[Task], list[str]]:
    """What is left of the tasks by `subset:` terms, and the other terms."""
    chosen = list(tasks)
    for term in globs:
        if term.startswith(SUBSET):
            chosen = _subset(chosen, Path(term.removeprefix(SUBSET)).expanduser())
    return chosen, [term for term in globs if not term.startswith(SUBSET)]


def _subset(tasks: Sequence[Task], file: Path) -> list[Task]:
    """What was drawn; all of it, since a part would stand for nothing."""
    try:
        ids = set(json.loads(file.read_bytes())["tasks"])
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{file} is no subset; harness tasks subset draws one") from None
    if absent := sorted(ids - {task.id for task in tasks}):
        raise UsageError(f"{file}: {len(absent)} of its tasks are not there, as {absent[0]!r}")
    return [task for task in tasks if task.id in ids]


def _by_id(tasks: Sequence[Task], patterns: Sequence[str]) -> list[Task]:
    found: set[str] = set()
    for pattern in patterns:
        matches = {t.id for t in tasks if fnmatch.fnmatchcase(t.id, pattern)}
        if not matches:
            raise UsageError(f"no task matches {pattern!r}; {_near(pattern, tasks)}")
        found |= matches
    return [task for task in tasks if task.id in found]


def _near(pattern: str, tasks: Sequence[Task]) -> str:
    """Ids that a person may have meant: those that contain the word, or else look like it."""
    word = pattern.strip("*").lower()
    ids = [str(task.id) for task in tasks]
    close = [i for i in ids if word and word in i.lower()]
    close = close or difflib.get_close_matches(pattern, ids, n=3, cutoff=0.4) or ids
    more = " (patterns are for the whole id: try a * at both ends)" if word else ""
    return f"nearest: {', '.join(close[:3]) or 'there are none'}{more}"


def _by_facet(tasks: Sequence[Task], name: str, wanted: Sequence[str]) -> list[Task]:
    values = sorted({task.facets[name] for task in tasks if name in task.facets})
    if not values:
        known = sorted({facet for task in tasks for facet in task.facets})
        raise UsageError(f"no task has a facet {name!r}; choose {', '.join(known) or 'an id'}")
    kept: set[str] = set()
    for pattern in wanted:
        matches = set(fnmatch.filter(values, pattern))
        if not matches:
            close = difflib.get_close_matches(pattern, values, n=8, cutoff=0.2) or values[:8]
            raise UsageError(f"no task has {name}={pattern}; nearest: {', '.join(close)}")
        kept |= matches
    return [task for task in tasks if task.facets.get(name) in kept]


def _sample(tasks: Sequence[Task], term: str) -> list[Task]:
    parsed = _SAMPLE.fullmatch(term)
    if parsed is None or int(parsed[1]) < 1:
        raise UsageError(f"{term!r} is no sample; write sample:20 or sample:20:seed=7")
    size, seed = int(parsed[1]), parsed[2] or "0"

    def lot(task: Task) -> bytes:
        return hashlib.sha256(f"{seed}\0{task.id}".encode(errors="surrogatepass")).digest()

    drawn = {task.id for task in sorted(tasks, key=lot)[:size]}
    return [task for task in tasks if task.id in drawn]


def _shard(tasks: Sequence[Task], shard: str) -> list[Task]:
    if not shard:
        return list(tasks)
    parsed = _SHARD.fullmatch(shard)
    if parsed is None or not 1 <= int(parsed[1]) <= int(parsed[2]):
        raise UsageError(f"{shard!r} is no shard; write 1/4 for the first of four")
    mine = sorted(task.id for task in tasks)[int(parsed[1]) - 1 :: int(parsed[2])]
    kept = set(mine)
    return [task for task in tasks if task.id in kept]
