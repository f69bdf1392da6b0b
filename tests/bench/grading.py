"""Grading throughput beside the official evaluator: the same instances, patches and workers.

`OFFICIAL_EVALUATOR` names a checkout of it, whose local Docker mode is called as it is, but for the
pull before each grading, which is left out since these images are nowhere but here. Instances are
made up, small, and in its own format; a third of the patches is right, a third wrong, one empty.
Verdicts of both have to agree. What either takes to start counts for nothing: a set has hundreds.
Then two systems hand in the same patches, as systems often do.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import docker

from tests.bench.endpoint import ROOT
from tests.bench.figures import Figure, median_ratio
from tests.e2e.test_pro_grading import GOLD, IMAGE, PARSER, RUN_SCRIPT, build, row

INSTANCES, WORKERS, ROUNDS = 8, 2, 2
WRONG = GOLD.replace("a + b", "a * b")
PATCHES = (GOLD, WRONG, "")
NO_PULL = """
from docker.models.images import ImageCollection
def pull(self, *names, **knobs): raise RuntimeError("it is here")
ImageCollection.pull = pull
"""


async def measure() -> list[Figure]:
    official = os.environ.get("OFFICIAL_EVALUATOR", "")
    if not (Path(official) / "swe_bench_pro_eval.py").is_file():
        print("grading: set OFFICIAL_EVALUATOR to a checkout of it; skipped", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _lay_out(root)
        ours, theirs = list[float](), list[float]()
        for number in range(ROUNDS):
            pace, said = _official(root, Path(official), number)
            theirs.append(pace)
            pace, found = _harness(root, f"ours-{number}", ["a"])
            ours.append(pace)
            if any(found[id_, "a"] != said[id_] for id_ in said):
                raise RuntimeError(f"verdicts differ: {found} and {said}")
        _harness(root, "twice", ["a", "b"])
        anew = sum(not r["facts"].get("grade_reused") for r in _records(root / "twice"))
    beside = "grading: throughput beside the official evaluator"
    return [
        Figure(
            beside, median_ratio(ours, theirs), 1.5, "x", _rate(ours), _rate(theirs), least=True
        ),
        Figure("grading: a patch of two systems", anew / INSTANCES, 1, "times"),
    ]


def _rate(paces: list[float]) -> str:
    return f"{60 * statistics.median(paces):.1f} a minute"


def _pace(ended: list[float]) -> float:
    """Gradings a second, from when the first of all workers is done to the last."""
    ended = sorted(ended)
    return (len(ended) - WORKERS) / (ended[-1] - ended[WORKERS - 1])


def _lay_out(root: Path) -> None:
    """Rows, scripts and image files as both read them, and patches as either reads them."""
    base, solution = build()
    client, rows = docker.from_env(), []
    image = client.images.get(IMAGE)
    for number in range(INSTANCES):
        name = f"instance_example__calc-bench{number}"
        image.tag("example/sweap-images", f"example.calc-example__calc-bench{number}")
        _write(root / "run_scripts" / name / "run_script.sh", RUN_SCRIPT)
        _write(root / "run_scripts" / name / "parser.py", PARSER)
        for kind in ("base", "instance"):
            _write(root / "dockerfiles" / f"{kind}_dockerfile" / name / "Dockerfile", "FROM x\n")
        rows.append(row(name, base, solution))
    client.close()
    _write(root / "rows.jsonl", "".join(json.dumps(each) + "\n" for each in rows))
    _write(root / "site" / "sitecustomize.py", NO_PULL)


def _official(root: Path, checkout: Path, number: int) -> tuple[float, dict[str, bool]]:
    out = root / f"official-{number}"
    given = [
        {"instance_id": f"instance_example__calc-bench{at}", "patch": PATCHES[at % 3]}
        for at in range(INSTANCES)
    ]
    _write(root / "patches.json", json.dumps([{**one, "prefix": "a"} for one in given]))
    argv = [
        *(sys.executable, str(checkout / "swe_bench_pro_eval.py"), "--use_local_docker"),
        *("--raw_sample_path", "rows.jsonl", "--patch_path", "patches.json"),
        *("--output_dir", str(out), "--scripts_dir", "run_scripts"),
        *("--dockerhub_username", "example", "--num_workers", str(WORKERS)),
    ]
    out.mkdir()
    _call(argv, root, {"PYTHONPATH": str(root / "site")})
    verdicts: dict[str, bool] = json.loads((out / "eval_results.json").read_bytes())
    return _pace([file.stat().st_mtime for file in out.glob("*/a_output.json")]), verdicts


def _harness(
    root: Path, name: str, systems: list[str]
) -> tuple[float, dict[tuple[str, str], bool]]:
    """Graded in the mode that is to agree with them, with nothing known from before."""
    given = [
        {
            "instance_id": f"instance_example__calc-bench{at}",
            "model_name_or_path": system,
            "model_patch": PATCHES[at % 3],
        }
        for at in range(INSTANCES)
        for system in systems
    ]
    _write(root / f"{name}.jsonl", "".join(json.dumps(one) + "\n" for one in given))
    tasks = f"swebench-pro,file={root}/rows.jsonl,scripts={root},dockerhub_user=example"
    argv = [
        *(sys.executable, "-m", "harness", "grade", f"{root}/{name}.jsonl", "--tasks", tasks),
        *("--mode", "compat", "--sandbox", "docker", "--width", str(WORKERS)),
        *("--into", f"{root}/{name}", "--json"),
    ]
    _call(argv, ROOT, {})
    folder = root / name
    labels = json.loads((folder / "run.json").read_bytes())["conditions"]
    ended = [file.stat().st_mtime for file in (folder / "traces").iterdir()]
    return _pace(ended), {_key(r, labels): r["verdict"]["resolved"] for r in _records(folder)}


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_bytes().splitlines()]


def _key(record: dict[str, Any], labels: dict[str, Any]) -> tuple[str, str]:
    arm = labels[record["attempt"]["condition"]]
    return record["attempt"]["task"], arm["condition"]["model"]["name"]


def _call(argv: list[str], cwd: Path, env: dict[str, str]) -> None:
    whole = {**os.environ, **env}
    whole.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(argv, cwd=cwd, env=whole, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[1:4]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
