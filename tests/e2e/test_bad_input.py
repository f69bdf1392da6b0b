"""What makes no sense gets one line that says what would, exit code 2, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.commands import harness

RUN = ("run", "--tasks", "demo", "--model", "m", "--scaffold", "bash", "--sandbox", "bubblewrap")
HERE = ("--base-url", "http://127.0.0.1:9/v1")


def with_(*words: str) -> tuple[str, ...]:
    return (*RUN, *HERE, *words)


def part(word: str, *, scaffold: str = "bash", tasks: str = "demo") -> tuple[str, ...]:
    return ("run", "--tasks", tasks, "--model", word, "--scaffold", scaffold, *HERE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (part("m", tasks="dmo"), "did you mean demo"),
        (part("m", scaffold="bsah"), "did you mean bash"),
        (part("m", scaffold="editor,contxt=all"), "context"),
        (part("m", scaffold="editor,context=lst-n:2"), "last-n"),
        (part("m,temprature=1"), "temperature"),
        (("run", "--tasks", "demo", "--model", "m", "--scaffold", "bash"), "OPENAI_BASE_URL"),
        (("run", "--tasks", "demo"), "--model"),
        (("run", "no-such.toml"), "no-such.toml: No such file"),
        (with_("--select", "no-such-task"), "no-such-task"),
        (with_("--shard", "5/3"), "5/3"),
        (with_("--usd", "1"), "--price m:in=..,out=.."),
        (with_("--turns", "0"), "limit turns is 0"),
        (with_(), "no endpoint answers at http://127.0.0.1:9/v1"),
        (("grade", "none.json"), "none.json"),
        (("report", "no-run"), "no-run"),
        (("tasks", "show", "no-such-task"), "no-such-task"),
        (("tasks", "list", "--tasks", "swebench-pro,file=x.jsonl,scripts=none"), "tasks pull"),
        (("tasks", "list", "--tasks", "local,folder=none"), "none"),
        (("tasks", "list", "--tasks", "local"), "folder"),
    ],
)
def test_it_gets_one_line_and_exit_code_2(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = harness(*words, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("harness: boxes by")]
    assert done.returncode == 2, done.stderr
    assert said in lines[-1] and lines[-1].startswith("harness: "), done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_an_engine_that_does_not_answer_is_named_with_the_way_out(tmp_path: Path) -> None:
    words = ("run", "--tasks", "demo", "--scaffold", "nop", "--sandbox", "docker")
    done = harness(*words, cwd=tmp_path, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 2
    assert "no Docker engine answers" in done.stderr and "bubblewrap" in done.stderr
