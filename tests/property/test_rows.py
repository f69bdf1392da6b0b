"""What anybody may have written into a row or a file of predictions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.types import Attempt, TaskId
from results.manifest import Manifest, manifest
from tasks import predictions
from tasks.swebench_pro.load import SwebenchPro, read_rows
from tests.property.hostile import DEEP, NASTY, TEXT, one_line, share, told, values
from tests.unit.run_folders import BY, condition

NAME = "instance_example__calc-1"
ROW: dict[str, Any] = {
    "instance_id": NAME,
    "repo": "Example/Calc",
    "repo_language": "python",
    "base_commit": "a" * 40,
    "problem_statement": "It fails",
    "requirements": "- none",
    "interface": "No new interfaces",
    "before_repo_set_cmd": "git reset --hard x\ngit checkout y -- t.py",
    "selected_test_files_to_run": "['t.py']",
    "fail_to_pass": "['t.py::a', \"t.py::b's\"]",
    "pass_to_pass": "[]",
    "patch": "diff --git a/setup.cfg b/setup.cfg\n",
    "test_patch": "diff --git a/t.py b/t.py\n",
}
IDS = st.one_of(
    TEXT,
    st.sampled_from(
        [
            *("..", ".", "", "../official", f"../run_scripts/{NAME}", f"{NAME}/../other", "/"),
            *(f"{NAME}\n", f"{NAME}\0", f"./{NAME}", "x" * 300, "-rf", "a b", NAME.upper()),
        ]
    ),
)
LISTS = st.one_of(
    st.lists(TEXT).map(repr),
    st.lists(TEXT).map(json.dumps),
    st.lists(TEXT),
    TEXT,
    st.sampled_from(
        [
            "__import__('os').mkdir('escaped')",
            "[open('escaped', 'w')]",
            "[" * DEEP,
            "-" * DEEP + "1",
            "('a' " * 5000,
            "['\\d']",
            "['a', 1]",
            "[" + "'a'," * 30_000 + "]",
            "9" * 5000,
            '["\\ud800"]',
            '["a\\u0000b"]',
            "{'a': {}}",
        ]
    ),
    values(),
)
PROSE = st.one_of(TEXT, st.sampled_from(['"\\ud800"', '"a\\u0000b"', '"' + "[" * DEEP]), values())
COLUMNS = {
    name: LISTS if name.endswith(("_pass", "_run")) else PROSE
    for name in ROW
    if name != "instance_id"
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """The good row with one to three columns spoilt."""
    row = dict(ROW)
    for column in draw(st.lists(st.sampled_from([*ROW]), min_size=1, max_size=3)):
        row[column] = draw(IDS if column == "instance_id" else COLUMNS[column])
    return row


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the evaluator that knows NAME alone, with a lure beside its scripts."""
    official = tmp_path_factory.mktemp("rows") / "official"
    for place in (f"run_scripts/{NAME}", "other"):
        (official / place).mkdir(parents=True)
        (official / place / "run_script.sh").write_text("")
        (official / place / "parser.py").write_text("")
    return official


def listing(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_row_is_loaded_or_left_out_and_touches_nothing(
    scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = scripts.parent / "rows.jsonl"
    file.write_text("")
    monkeypatch.chdir(scripts.parent)
    before = listing(scripts.parent)

    @given(st.lists(rows(), min_size=1, max_size=3))
    def each(hostile: list[dict[str, Any]]) -> None:
        file.write_text("".join(f"{json.dumps(row)}\n" for row in hostile))
        source = SwebenchPro(file=str(file), scripts=str(scripts))
        found = told(lambda: list(source.load()))
        assert isinstance(found, list) or one_line(found)
        tasks = found if isinstance(found, list) else []
        assert len(tasks) + len(source.left_out()) == len(hostile)
        for name, why in source.left_out().items():
            assert one_line(why) and one_line(name)
        for task in tasks:
            assert task.id == NAME
            assert task.oracle["scripts"] == str(scripts / "run_scripts" / NAME)
            assert re.fullmatch(r"[a-z]+/[a-z-]+:[A-Za-z0-9_.-]+", task.brief.environment.image)
            assert "\0" not in task.brief.statement and task.brief.statement.encode()
            assert all(one_line(facet) for facet in task.facets.values())

    each()
    assert listing(scripts.parent) == before


@share(5)
@given(st.binary(), st.sampled_from([".jsonl", ".json", ".csv"]))
def test_any_bytes_are_rows_or_one_line(data: bytes, suffix: str) -> None:
    for content in (data, b"[" * DEEP, b'[{"a":' + b"9" * 5000 + b"}]", b"a,b\n" + data):
        path, found = Path(f"rows{suffix}"), content
        answer = told(lambda path=path, found=found: read_rows(path, found))
        assert isinstance(answer, list) or one_line(answer)


@given(st.lists(IDS, min_size=2, max_size=6, unique=True))
def test_an_attempts_name_is_one_file_and_nobody_elses(ids: list[str]) -> None:
    names = [Attempt(TaskId(id_), "0" * 12, 10**6).id for id_ in ids]
    # An id that is spelt like the name of another is not taken for it either.
    spelt = [Attempt(TaskId(name.partition("~")[0]), "0" * 12, 10**6).id for name in names]
    changed = [s for s, id_, n in zip(spelt, ids, names, strict=True) if n.split("~")[0] != id_]
    everyone = {*names, *changed}
    assert len(everyone) == len(names) + len(set(changed))
    for name in everyone:
        assert re.fullmatch(r"[A-Za-z0-9_+~][A-Za-z0-9._+~-]*", name)
        assert len(f"{name}.1000000.jsonl".encode()) <= 255


ENTRIES = st.one_of(
    st.fixed_dictionaries(
        {"instance_id": st.one_of(st.sampled_from(["a", "b"]), IDS)},
        optional={
            "model_patch": st.one_of(TEXT, values()),
            "patch": st.one_of(TEXT, st.none()),
            "model_name_or_path": st.one_of(TEXT, values()),
            "prefix": values(),
        },
    ),
    values(),
)
FILES = st.one_of(
    st.binary(),
    values(st.one_of(TEXT, st.sampled_from(["instance_id", "patch", "model_patch"]))).map(
        json.dumps
    ),
    st.lists(ENTRIES, max_size=4).map(json.dumps),
    st.lists(ENTRIES, max_size=4).map(lambda each: "\n".join(map(json.dumps, each))),
    st.dictionaries(IDS, ENTRIES, max_size=4).map(json.dumps),
    st.sampled_from(
        [
            "[" * DEEP,
            "9" * 5000,
            '[{"instance_id": "a", "patch": "", "prefix": ' + "[" * 900 + "]" * 900 + "}]",
            '{"a\\nb": 1, "a\\nb": 2}',
            '{"a\\nb": 1}',
            json.dumps([{"instance_id": "a\nb", "patch": ""}] * 2),
            "[" + ",".join(f'{{"instance_id": "{n}", "patch": ""}}' for n in range(20_000)) + "]",
            "{" + ",".join(f'"{n % 19_999}": ""' for n in range(20_000)) + "}",
        ]
    ),
)


def test_any_file_is_predictions_or_one_line(tmp_path: Path) -> None:
    @given(FILES, st.sampled_from([".json", ".jsonl", ".pred"]))
    def each(content: str | bytes, suffix: str) -> None:
        file = tmp_path / f"p{suffix}"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = told(lambda: predictions.read(file))
        if isinstance(found, str):
            assert one_line(found)
        else:
            assert found and all(isinstance(each.patch, bytes) for each in found)

    each()


def test_a_manifest_of_hostile_rows_reads_back(scripts: Path, tmp_path: Path) -> None:
    file = scripts.parent / "rows.jsonl"
    hostile = [{**ROW, "repo_language": "\ud800"}, *({**ROW, "instance_id": n} for n in NASTY)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in hostile))
    source = SwebenchPro(file=str(file), scripts=str(scripts))
    tasks = list(source.load())
    left_out = source.left_out()
    made = manifest(tasks, [condition()], repeats=1, left_out=left_out, experiment={}, by=BY)
    made.write(tmp_path)
    assert Manifest.read(tmp_path) == made
    assert len(left_out) == len(NASTY)
