from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.experiment import Experiment, check_money, part, read
from harness.types import Limits, Part

TOML = """
tasks = "demo"
models = ["m,temperature=0.5", { name = "n", max_tokens = 10 }]
scaffolds = ["bash", "editor,context=last-n:20"]
repeats = 2
[limits]
turns = 3
"""
SMALL = Experiment(Part("demo"), (Part("m"),), (Part("bash"), Part("editor")), repeats=2)


def written(folder: Path, text: str) -> Path:
    path = folder / "e.toml"
    path.write_text(text)
    return path


def test_models_and_scaffolds_are_crossed(tmp_path: Path) -> None:
    wanted = read(written(tmp_path, TOML))
    labels = [condition.label for condition in wanted.conditions]
    assert labels == [
        "m,temperature=0.5 + bash",
        "m,temperature=0.5 + editor,context=last-n:20",
        "n,max_tokens=10 + bash",
        "n,max_tokens=10 + editor,context=last-n:20",
    ]
    assert {condition.limits.turns for condition in wanted.conditions} == {3}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (TOML.replace("turns", "trnus"), "did you mean turns?"),
        (TOML.replace("repeats", "repeat"), "did you mean repeats?"),
        (TOML.replace("repeats = 2", "repeats = 0"), "repeats is 0"),
        (TOML.replace('tasks = "demo"', "tasks = 3"), "a part is"),
        (TOML.replace('"bash"', '"editor,context=last-n:20"'), "named twice"),
        ("tasks = ", "is not TOML"),
    ],
)
def test_a_wrong_file_gets_one_line_that_says_where(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(written(tmp_path, wrong))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.toml: No such file"):
        read(tmp_path / "no.toml")


def test_the_digest_sees_every_knob_and_every_limit() -> None:
    knob = replace(SMALL, scaffolds=(Part("bash", {"output": 5}), Part("editor")))
    limit = replace(SMALL, limits=Limits(turns=4))
    digests = {e.conditions[0].digest for e in (SMALL, knob, limit)}
    assert len(digests) == 3


def test_a_part_reads_as_name_and_knobs() -> None:
    assert part("editor,context=last-n:20,command-seconds=30") == Part(
        "editor", {"context": "last-n:20", "command_seconds": 30}
    )


@pytest.mark.parametrize("text", ["editor,", "editor,5", ",x=1", "editor,=3"])
def test_what_is_no_part_is_said_so(text: str) -> None:
    with pytest.raises(UsageError, match=r"knob=value|begins with its name"):
        part(text)


def test_a_limit_in_dollars_needs_a_price() -> None:
    local = "http://127.0.0.1:8000/v1"
    with pytest.raises(UsageError, match=r"needs the price of 'm'.*--price m:in="):
        check_money(replace(SMALL, limits=Limits(usd=1.0)), Part("m"), local)
    priced = Part("m", {"price_in": 1, "price_out": 2})
    check_money(replace(SMALL, usd_run=5.0), priced, local)
    check_money(SMALL, Part("m"), local)


def test_prices_of_the_experiment_are_as_good_as_the_models_own() -> None:
    local = "http://127.0.0.1:8000/v1"
    money = replace(SMALL, usd_run=5.0)
    for said in ({"m": {"in": 1.0, "out": 2.0}}, {"": {"in": 1.0, "out": 2.0}}):
        check_money(replace(money, prices=said), Part("m"), local)
    check_money(replace(money, gpu_hour=32.5, gpus=4), Part("m"), local)
    with pytest.raises(UsageError):
        check_money(replace(money, prices={"other": {"in": 1.0, "out": 2.0}}), Part("m"), local)


def test_prices_change_no_condition() -> None:
    priced = replace(SMALL, prices={"": {"in": 1.0, "out": 2.0}}, hours_run=2.0)
    assert [c.digest for c in priced.conditions] == [c.digest for c in SMALL.conditions]


def test_a_file_may_have_its_own_table_of_prices(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    head = 'tasks = "demo"\nmodels = ["m"]\nscaffolds = ["bash"]\nhours_run = 8\n'
    file.write_text(f"{head}[prices.m]\nin = 1.25\nout = 10\ncached = 0.125\n")
    read_ = read(file)
    assert read_.costs.knobs(Part("m", {"price_in": 3}), "m") == {
        "price_in": 3,
        "price_out": 10,
        "price_cached": 0.125,
    }
    assert read_.run_limits.hours == 8
    file.write_text(f"{head}[prices.m]\nin = 1.25\n")
    with pytest.raises(UsageError, match="give both in"):
        read(file)
