"""What the verbs import, export and compare do with folders and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.types import Usage
from harness.verbs.comparing import comparison, published
from harness.verbs.exchanging import Wanted, bring, send
from results.report.build import build
from results.report.plain import as_json
from results.store import RunStore
from tasks.predictions import read
from tests.unit import exchange_sources as foreign
from tests.unit.exchange_sources import TASKS, write
from tests.unit.run_folders import attempt, declared, graded, stored


def ids(folder: Path) -> str:
    return f"ids,file={write(folder / 'ids.txt', chr(10).join(TASKS))}"


def report(folder: Path) -> Any:
    return as_json(build(folder))


def ledger(folder: Path) -> bytes:
    return (folder / "ledger.jsonl").read_bytes()


def test_an_import_is_out_of_what_is_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "m.json", {TASKS[0]: True, TASKS[1]: False, "elsewhere-1": True})
    bring(Wanted(source, tasks=ids(tmp_path), model="mine"), tmp_path / "run")
    said = capsys.readouterr().err
    assert "1 ids are not declared and do not count: elsewhere-1" in said
    assert "nothing is known of 4 of 6 declared tasks" in said
    found = report(tmp_path / "run")
    (condition,) = found["conditions"]
    assert condition["label"] == "mine (imported, pro)"
    assert condition["raw"]["bounds"] == [1 / 6, 5 / 6]
    for figure in ("usd_per_solved", "tokens_per_solved", "seconds_per_solved"):
        assert condition["cost"][figure]["value"] is None, "what is not told is not 0"
        assert condition["cost"][figure]["reason"]
    notes = " ".join(found["notes"])
    assert "the imported file says nothing of them" in notes
    assert "the same run command" not in notes


def test_without_a_declaration_the_ids_in_the_file_are_it_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "m.json", {TASKS[0]: True, TASKS[1]: False})
    bring(Wanted(source), tmp_path / "run")
    assert "out of the 2 ids in it; --tasks says" in capsys.readouterr().err
    assert report(tmp_path / "run")["declared"] == 2


def test_the_same_import_again_adds_nothing_and_finishes_what_was_cut_short(tmp_path: Path) -> None:
    wanted = Wanted(foreign.mini_swe_agent(tmp_path / "mini"))
    bring(wanted, tmp_path / "run")
    whole = ledger(tmp_path / "run")
    bring(wanted, tmp_path / "run")
    assert ledger(tmp_path / "run") == whole
    (tmp_path / "run" / "ledger.jsonl").write_bytes(whole[: whole.index(b"\n") + 9])
    bring(wanted, tmp_path / "run")
    assert ledger(tmp_path / "run") == whole


def test_another_import_does_not_go_into_the_same_folder(tmp_path: Path) -> None:
    source = write(tmp_path / "m.json", {TASKS[0]: True})
    bring(Wanted(source), tmp_path / "run")
    write(source, {TASKS[0]: False})
    with pytest.raises(UsageError, match="run holds another run; choose another folder"):
        bring(Wanted(source), tmp_path / "run")


def test_patches_without_verdicts_go_out_to_be_graded_and_their_verdicts_come_in(
    tmp_path: Path,
) -> None:
    source = foreign.swe_agent(tmp_path / "agent")
    bring(Wanted(source), tmp_path / "bare")
    attempts = report(tmp_path / "bare")["attempts"]
    assert (attempts["graded"], attempts["resolved"], attempts["faulted"]) == (2, 0, 3)
    send(tmp_path / "bare", "swebench", tmp_path / "out.jsonl")
    patches = {p.instance_id: p.patch for p in read(tmp_path / "out.jsonl")}
    assert patches[TASKS[0]] == foreign.PATCH.encode(errors="surrogateescape")
    verdicts = write(tmp_path / "v.json", {TASKS[0]: True, TASKS[1]: False})
    bring(Wanted(source, f"auto,verdicts={verdicts}"), tmp_path / "full")
    (condition,) = report(tmp_path / "full")["conditions"]
    assert condition["raw"]["resolved"] == 1 and condition["faulted"] == {"sandbox": 1}
    assert condition["cost"]["usd_per_solved"]["value"] is None, "a prediction alone has no price"


def test_an_exported_table_comes_in_as_a_run_of_the_same_figures(tmp_path: Path) -> None:
    records = [graded(attempt(f"t{i}", r), i > r) for i in range(4) for r in range(2)]
    stored(tmp_path / "ours", declared(4, repeats=2), records)
    send(tmp_path / "ours", "csv", tmp_path / "ours.csv")
    bring(Wanted(tmp_path / "ours.csv"), tmp_path / "again")
    one, other = (report(tmp_path / name)["conditions"][0] for name in ("ours", "again"))
    assert one["raw"] == other["raw"]
    assert one["cost"]["usage"] == other["cost"]["usage"]
    assert one["cost"]["seconds_per_solved"] == other["cost"]["seconds_per_solved"]
    settled = next(RunStore(tmp_path / "again").records())
    assert settled.usage == Usage(calls=2, fresh=100, output=20, usd=1.0)
    assert settled.facts["imported"] == "csv"


def test_a_run_and_two_files_are_compared_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [graded(attempt(task), i % 2 == 0) for i, task in enumerate(TASKS)]
    stored(tmp_path / "ours", declared(TASKS), records)
    theirs = write(tmp_path / "theirs.json", dict.fromkeys(TASKS, False))
    rows = "task,resolved\n" + "".join(f"{task},1\n" for task in TASKS)
    paths = [tmp_path / "ours", theirs, write(tmp_path / "third.csv", rows)]
    comparison(paths, margin=0.02, tasks="", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [system["run"] for system in found["systems"]] == ["ours", "theirs", "third"]
    assert [pair["shared"] for pair in found["pairs"]] == [6, 6, 6]
    assert [pair["agreement"] for pair in found["pairs"]] == [0.5, 0.5, 0.0]
    comparison(paths, margin=0.02, tasks="", as_json=False)
    assert "imported verdicts are somebody else's" in " ".join(capsys.readouterr().out.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "theirs.json", "third.csv"]


def test_published_figures_stand_beside_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "ours", declared(2), [graded(attempt("t0"), True)])
    published([tmp_path / "ours"], tasks="", as_json=False)
    assert "GLM-5.1" in capsys.readouterr().out
    published([], tasks="", as_json=True)
    assert json.loads(capsys.readouterr().out)["pairs"][0]["issues"] == 5


@pytest.mark.parametrize("format_", ["junit", "csv", "parquet"])
def test_a_run_is_exported_as_one_file(
    tmp_path: Path, format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "ours", declared(2), [graded(attempt("t0"), True)])
    send(tmp_path / "ours", format_, tmp_path / "x" / format_)
    assert f"2 attempts as {format_} in " in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "x").iterdir()] == [format_]


def brought(*words: str) -> Callable[[Path], None]:
    return lambda here: bring(Wanted(here / words[0], *words[1:]), here / "run")


def sent(name: str, format_: str) -> Callable[[Path], None]:
    return lambda here: send(here / name, format_, here / "x")


def compared(*names: str) -> Callable[[Path], None]:
    return lambda here: comparison(
        [here / name for name in names], margin=0.02, tasks="", as_json=False
    )


WRONG = [
    (brought("absent.json"), r"absent.json: no such file or folder"),
    (brought("absent.json", "pro"), r"absent.json: no such file or folder"),
    (brought("cut.json"), r"cut.json:1: not JSON \(cut short\?\)"),
    (brought("ok.json", "xml"), "no format 'xml'; choose csv, harbor"),
    (brought("ok.json", "csv,colour=red"), "no knob of format 'csv': 'colour'"),
    (brought("ok.json", "auto", "ids"), "--tasks ids,file=FILE takes a list"),
    (brought("ok.json", "auto", "ids,file=nowhere"), "nowhere: cannot be read"),
    (brought("ok.json", "auto", "nobody"), "no task source 'nobody'"),
    (sent("absent", "csv"), "absent is no run"),
    (sent(".", "yaml"), "no format 'yaml'"),
    (compared("ok.json"), "a comparison takes two conditions"),
    (compared("ok.json", "ok.json"), "ok.json is named twice"),
    (compared("ok.json", "absent"), "absent: no such file or folder"),
]


@pytest.mark.parametrize(("call", "line"), WRONG, ids=[line for _, line in WRONG])
def test_a_request_that_makes_no_sense_is_answered_in_one_line(
    tmp_path: Path, call: Callable[[Path], None], line: str
) -> None:
    write(tmp_path / "ok.json", {TASKS[0]: True})
    write(tmp_path / "cut.json", '{"a": tr')
    with pytest.raises(UsageError, match=line) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_spec("inspect_ai") is not None, reason="inspect_ai is installed")
def test_an_inspect_log_says_what_to_install(tmp_path: Path) -> None:
    write(tmp_path / "log.eval", "PK")
    with pytest.raises(UsageError, match=r"pip install 'harness\[inspect\]'"):
        bring(Wanted(tmp_path / "log.eval"), tmp_path / "run")
