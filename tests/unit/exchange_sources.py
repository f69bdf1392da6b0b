"""Other people's results, made by hand after their documentation, for the tests of `import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TASKS = [f"acme__widgets-{number}" for number in range(1, 7)]
PATCH = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+caf\udce9\n"
"""With a byte that is no UTF-8, as JSON spells it."""


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def report(schema: int | None = 2) -> dict[str, Any]:
    """A run report of SWE-bench: of schema 2, or of version 4, which has no number."""
    ids: dict[str, list[str]] = {
        "submitted": TASKS[:5],
        "resolved": TASKS[:2],
        "unresolved": TASKS[2:3],
        "empty_patch": TASKS[3:4],
        "error": TASKS[4:5],
        "incomplete": TASKS[5:],
    }
    raw: dict[str, Any] = {"total_instances": 6}
    if schema:
        ids |= {"error": [], "infra_failure": TASKS[4:5], "ambiguous_failure": []}
        raw |= {"schema_version": schema, "failure_reasons": {TASKS[4]: "no space left"}}
    raw |= {f"{word}_ids": names for word, names in ids.items()}
    raw |= {f"{word}_instances": len(names) for word, names in ids.items()}
    return raw


def swe_agent(folder: Path) -> Path:
    """One submitted, one out of money with a patch, one empty, one whose box broke, one null."""
    ends = ["submitted", "submitted (exit_cost)", "submitted", "exit_environment_error"]
    for task, status in zip(TASKS, ends, strict=False):
        patch = PATCH if task in TASKS[:2] else ""
        info = {
            "exit_status": status,
            "submission": patch,
            "model_stats": {
                "instance_cost": 1.5,
                "tokens_sent": 1000,
                "tokens_received": 50,
                "api_calls": 7,
            },
        }
        config = {"agent": {"model": {"name": "gpt-x"}}}
        steps = [{"execution_time": 0.5}, {"execution_time": 1.5}]
        trajectory = {"trajectory": steps, "info": info, "replay_config": json.dumps(config)}
        write(folder / task / f"{task}.traj", trajectory)
    predictions = {
        task: {"model_name_or_path": "run", "instance_id": task, "model_patch": patch}
        for task, patch in [(TASKS[0], PATCH), (TASKS[1], PATCH), (TASKS[4], None)]
    }
    write(folder / "preds.json", predictions)
    return folder


def mini_swe_agent(folder: Path) -> Path:
    """One submitted, one out of turns, one whose endpoint failed."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 80},
    }
    rows = [(TASKS[0], "Submitted", PATCH), (TASKS[1], "LimitsExceeded", "")]
    rows.append((TASKS[2], "APIError", ""))
    for task, status, patch in rows:
        info = {
            "model_stats": {"instance_cost": 0.25, "api_calls": 3},
            "config": {"agent": {"step_limit": 3}, "model": {"model_name": "openai/gpt-x"}},
            "mini_version": "2.0.0",
            "exit_status": status,
            "submission": patch,
            "exception_str": "502 Bad Gateway\nmore" if status == "APIError" else None,
        }
        messages = [{"role": "assistant", "content": "?", "extra": {"response": {"usage": usage}}}]
        trajectory = {"info": info, "messages": messages, "instance_id": task}
        trajectory["trajectory_format"] = "mini-swe-agent-1.1"
        write(folder / task / f"{task}.traj.json", trajectory)
    return folder


def trial(folder: Path, name: str, task: str, **changed: Any) -> None:
    raw = {
        "task_name": task,
        "trial_name": name,
        "agent_info": {
            "name": "terminus",
            "version": "2",
            "model_info": {"name": "gpt-x", "provider": "openai"},
        },
        "agent_result": {
            "n_input_tokens": 1000,
            "n_cache_tokens": 900,
            "n_output_tokens": 70,
            "cost_usd": 0.5,
        },
        "verifier_result": {"rewards": {"reward": 1.0}},
        "exception_info": None,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:10:00Z",
        "verifier": {
            "started_at": "2026-01-01T00:09:00Z",
            "finished_at": "2026-01-01T00:10:00Z",
        },
    }
    write(folder / name / "result.json", raw | changed)


def raised(kind: str, message: str) -> dict[str, str]:
    return {"exception_type": kind, "exception_message": message}


def harbor(folder: Path) -> Path:
    """Two trials of one task, the second not solved; a timeout, a broken box, one under way."""
    write(folder / "result.json", {"n_total_trials": 5, "stats": {}})
    later = "2026-01-01T01:00:00Z"
    trial(
        folder,
        "a__1",
        "a",
        started_at=later,
        finished_at=later,
        verifier=None,
        verifier_result={"rewards": {"reward": 0.0}},
    )
    trial(folder, "a__2", "a")
    trial(
        folder,
        "b__1",
        "b",
        verifier_result={"rewards": {"reward": 0}},
        exception_info=raised("AgentTimeoutError", "slow"),
    )
    trial(
        folder,
        "c__1",
        "c",
        verifier_result=None,
        exception_info=raised("EnvironmentStartError", "no\nbox"),
    )
    trial(folder, "d__1", "d", verifier_result=None, finished_at=None)
    return folder


def inspect_log() -> dict[str, Any]:
    """A log as inspect_ai gives it: two epochs, an error, and a sample that was not come to."""
    usage = {"input_tokens": 10, "output_tokens": 5, "input_tokens_cache_read": 90}
    usage |= {"total_tokens": 105, "reasoning_tokens": 2}

    def sample(task: str, epoch: int, **more: Any) -> dict[str, Any]:
        return {"id": task, "epoch": epoch, "model_usage": {"m": usage}, "total_time": 3.0} | more

    correct, wrong = ({"match": {"value": value}} for value in ("C", "I"))
    return {
        "eval": {"model": "openai/gpt-x", "dataset": {"sample_ids": ["a", "b", "c"]}},
        "status": "error",
        "samples": [
            sample("a", 1, scores=correct),
            sample("a", 2, scores=wrong, limit={"type": "token", "limit": 9}),
            sample("b", 1, error={"message": "RuntimeError('no box')\nmore"}),
            sample("b", 2),
        ],
    }
