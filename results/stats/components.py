"""Where the variance of verdicts comes from, in a study of models x scaffolds x tasks x runs.

The pair-moment estimator on the probability scale (the idea of Gao and Owen 2017): centre the
verdicts, average their products over all pairs that share a given set of task, repository, model
and scaffold, and take differences. It is unbiased for binary data, allows missing cells, and no
pair shares a run, so run noise is in none but its own component. Models and scaffolds are fixed
levels (their finite-population variance, Gelman 2005); tasks are random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.stats.scores import Array, Labels, labels

FOLDS = 40
"""Groups of tasks that the jackknife leaves out in turn."""

Moments = dict[str, float]

# Which pairs each moment averages over: i task, m model, s scaffold, g repository.
_COMPONENTS: Mapping[str, Mapping[str, int]] = {
    "model": {"m": 1, "0": -1},
    "scaffold": {"s": 1, "0": -1},
    "model_x_scaffold": {"ms": 1, "m": -1, "s": -1, "0": 1},
    "repo": {"g": 1, "0": -1},
    "model_x_repo": {"gm": 1, "g": -1, "m": -1, "0": 1},
    "scaffold_x_repo": {"gs": 1, "g": -1, "s": -1, "0": 1},
    "ms_x_repo": {"gms": 1, "gm": -1, "gs": -1, "g": 1, "ms": -1, "m": 1, "s": 1, "0": -1},
    "instance": {"i": 1, "g": -1},
    "model_x_instance": {"im": 1, "i": -1, "gm": -1, "g": 1},
    "scaffold_x_instance": {"is": 1, "i": -1, "gs": -1, "g": 1},
    "ms_x_instance": {"ims": 1, "im": -1, "is": -1, "i": 1, "gms": -1, "gm": 1, "gs": 1, "g": -1},
    "run": {"itself": 1, "ims": -1},
    "total": {"itself": 1, "0": -1},
}
_OF_SCORES = ("model", "scaffold", "model_x_scaffold")
_WITHOUT_REPOS = {"g": "0", "gm": "m", "gs": "s", "gms": "ms"}


@dataclass(frozen=True, slots=True)
class Component:
    """A variance, or None and why it cannot be told. It may come out below 0 by chance."""

    variance: float | None
    se: float | None = None
    reason: str = ""


def components(
    cells: Array,
    repos: npt.ArrayLike | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> dict[str, Component]:
    """Every component by name. `cells` is tasks x models x scaffolds x runs, NaN where missing.

    Without `repos`, tasks are taken as they are, and the repository's components are None. With
    `rng`, standard errors by a delete-a-group jackknife over tasks, stratified by repository.
    """
    groups = None if repos is None else labels(repos)
    values = _variances(moments(cells, groups))
    errors = {} if rng is None else _jackknife(cells, groups, rng)
    return {
        name: Component(None, None, _why(name, cells, groups))
        if np.isnan(value)
        else Component(value, errors.get(name))
        for name, value in values.items()
    }


def moments(cells: Array, groups: Labels | None) -> Moments:
    """The mean product over the pairs that share exactly what each key says; NaN without any."""
    there = ~np.isnan(cells)
    centred = np.where(there, cells - cells[there].mean(), 0.0)
    sums, counts = centred.sum(axis=3), there.sum(axis=3).astype(np.float64)
    totals = {"itself": np.array([np.sum(centred**2), np.sum(there)], dtype=np.float64)}
    for key in ("ims", "im", "is", "i", "ms", "m", "s", "0"):
        totals[key] = _squares(sums, counts, key)
    if groups is not None:
        by_repo = _grouped(sums, groups), _grouped(counts, groups)
        for key in ("ims", "im", "is", "i"):
            totals[key.replace("i", "g")] = _squares(*by_repo, key)
    found = _exact_pairs(totals, nested=groups is not None)
    return {key: float(a / b) if b > 0 else float("nan") for key, (a, b) in found.items()}


def _squares(sums: Array, counts: Array, key: str) -> Array:
    """Sum of products, and number, over all ordered pairs that share at least `key`."""
    over = tuple(axis for axis, letter in enumerate("ims") if letter not in key)
    return np.array([np.sum(sums.sum(axis=over) ** 2), np.sum(counts.sum(axis=over) ** 2)])


def _grouped(table: Array, groups: Labels) -> Array:
    found = np.zeros((groups.max() + 1, *table.shape[1:]))
    np.add.at(found, groups, table)
    return found


def _exact_pairs(at_least: Mapping[str, Array], *, nested: bool) -> dict[str, Array]:
    """From pairs that share at least a key to those that share it and nothing more."""
    z = at_least
    tasks = {
        "ims": z["ims"] - z["itself"],
        "im": z["im"] - z["ims"],
        "is": z["is"] - z["ims"],
        "i": z["i"] - z["im"] - z["is"] + z["ims"],
    }
    found = {"itself": z["itself"], **tasks}
    outer = {"ms": z["ms"], "m": z["m"] - z["ms"], "s": z["s"] - z["ms"]}
    outer["0"] = z["0"] - z["m"] - z["s"] + z["ms"]
    if nested:
        repos = {
            "gms": z["gms"],
            "gm": z["gm"] - z["gms"],
            "gs": z["gs"] - z["gms"],
            "g": z["g"] - z["gm"] - z["gs"] + z["gms"],
        }
        same_task = {"gms": z["ims"], "gm": tasks["im"], "gs": tasks["is"], "g": tasks["i"]}
        found |= {key: repos[key] - same_task[key] for key in repos}
        below = {key.replace("g", "") or "0": value for key, value in repos.items()}
    else:
        below = {"ms": z["ims"], "m": tasks["im"], "s": tasks["is"], "0": tasks["i"]}
    return found | {key: outer[key] - below[key] for key in outer}


def _variances(found: Moments) -> dict[str, float]:
    missing = "g" not in found
    values = {}
    for name, recipe in _COMPONENTS.items():
        if missing and "repo" in name:
            values[name] = float("nan")
            continue
        keys = {_WITHOUT_REPOS.get(k, k) if missing else k: 0 for k in recipe}
        for key, sign in recipe.items():
            keys[_WITHOUT_REPOS.get(key, key) if missing else key] += sign
        values[name] = sum(sign * found[key] for key, sign in keys.items() if sign)
    return values


def _jackknife(cells: Array, groups: Labels | None, rng: np.random.Generator) -> dict[str, float]:
    """Standard errors from leaving out one group of tasks after another."""
    rows = _without_each(cells, groups, rng)
    errors = {name: _error([row[name] for row in rows]) for name in _COMPONENTS}
    return {name: error for name, error in errors.items() if not np.isnan(error)}


def _without_each(
    cells: Array, groups: Labels | None, rng: np.random.Generator
) -> list[dict[str, float]]:
    order = rng.permutation(len(cells))
    if groups is not None:
        order = order[np.argsort(groups[order], kind="stable")]
    fold = np.empty(len(cells), dtype=np.intp)
    fold[order] = np.arange(len(cells)) % min(FOLDS, len(cells))
    rows = []
    for k in range(fold.max() + 1):
        rest = None if groups is None else labels(groups[fold != k])
        rows.append(_variances(moments(cells[fold != k], rest)))
    return rows


def _error(values: list[float]) -> float:
    known = np.array(values)
    count = len(known)
    return float(np.sqrt((count - 1) / count * np.sum((known - known.mean()) ** 2)))


def score_share_errors(
    cells: Array, repos: npt.ArrayLike | None, *, rng: np.random.Generator
) -> dict[str, float]:
    """Jackknife standard errors of `score_shares`, and of `all_scaffold`, all but the model's."""
    rows = _without_each(cells, None if repos is None else labels(repos), rng)
    shares = []
    for row in rows:
        parts = {name: Component(row[name]) for name in _OF_SCORES}
        shares.append(score_shares(parts))
    if any(None in share.values() for share in shares):
        return {}
    errors = {name: _error([share[name] or 0.0 for share in shares]) for name in _OF_SCORES}
    return {**errors, "all_scaffold": errors["model"]}


def _why(name: str, cells: Array, groups: Labels | None) -> str:
    _, models, scaffolds, runs = cells.shape
    if "repo" in name and groups is None:
        return "no repositories were given"
    if name in ("run", "ms_x_instance") and runs < 2:
        return "with one run, run noise and the three-way interaction are not separable"
    if models < 2 or scaffolds < 2:
        return "it takes two models and two scaffolds"
    return "too few tasks, repositories or repeats share what this compares"


def verdict_shares(found: Mapping[str, Component]) -> dict[str, float | None]:
    """What part of the variance of one verdict each component is: difficulty and luck, mostly."""
    return _shares(found, [name for name in _COMPONENTS if name != "total"], _value(found, "total"))


def score_shares(found: Mapping[str, Component]) -> dict[str, float | None]:
    """What part of the differences between scores is model, scaffold, and their pairing.

    Run noise is not in it. "x% of the score is scaffold" means this table.
    """
    names = list(_OF_SCORES)
    values = [_value(found, name) for name in names]
    known = [value for value in values if value is not None]
    whole = sum(known) if len(known) == len(values) else None
    return _shares(found, names, whole)


def _value(found: Mapping[str, Component], name: str) -> float | None:
    return found[name].variance


def _shares(
    found: Mapping[str, Component], names: list[str], whole: float | None
) -> dict[str, float | None]:
    if whole is None or whole <= 0:
        return dict.fromkeys(names)
    parts = {name: _value(found, name) for name in names}
    return {name: None if part is None else part / whole for name, part in parts.items()}
