"""What a score would be had nothing been missing, judged by how hard others found what is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from results.stats.estimate import Estimate, Spread, estimate, nothing
from results.stats.scores import Array, as_scores, task_means

METHOD = "logistic on difficulty"
WHOLE = "no verdict is missing: the score stands as it is"
NOBODY = "nobody else has measured these tasks, and so told how hard they are"
UNVARIED = "every measured verdict is the same: nothing tells how they go with difficulty"
ALL_ALIKE = "the others found every task as hard as the next"
_PRIOR = 1 / 2.5**2
"""The precision of the slope on difficulty in standard units: Gelman et al. 2008. It only counts
where difficulty tells every verdict, and the slope would have no end."""
_STEPS, _LONGEST, _NEAR = 100, 2.0, 1e-10


def difficulty(others: npt.ArrayLike) -> Array:
    """How easy each task was found: the mean over those that measured it, NaN where nobody did.

    `others` is tasks x systems, each the share of its repeats that solved the task.
    """
    return task_means(as_scores(others))


def adjusted(verdicts: npt.ArrayLike, easy: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """The score over all tasks, where those without a verdict go as others of their difficulty.

    Regression standardisation (Robins 1986; Hernan and Robins, What If, chapter 13): a logistic
    regression of `verdicts` (tasks x repeats, NaN where missing) on `easy` (see `difficulty`), then
    the mean of what it foresees of every task. Right where what is missing is like what was
    measured of the same difficulty: an assumption, so it stands beside the bounds and not in
    their place. The error is the sandwich of both estimating equations, for new issues. Tasks of
    which the others say nothing are left out, and `reason` counts them.
    """
    solved, ease = task_means(as_scores(verdicts)), np.asarray(easy, dtype=np.float64)
    missing, known = np.isnan(solved), ~np.isnan(ease)
    if why := _why_not(solved, ease):
        return nothing("B", METHOD, why, int(np.count_nonzero(known)))
    spread = _standardised(solved[known], ease[known])
    left = int(np.count_nonzero(~known))
    told = estimate(spread, "B", METHOD, level=level, within=(0.0, 1.0))
    if not left:
        return told
    gone = int(np.count_nonzero(missing & ~known))
    reason = f"without tasks that nobody else has measured: {left}, of which missing: {gone}"
    return Estimate(told.value, told.low, told.high, "B", METHOD, told.n, level, reason)


def _why_not(solved: Array, ease: Array) -> str:
    """Why nothing can be said, or nothing."""
    missing, known = np.isnan(solved), ~np.isnan(ease)
    if not missing.any():
        return WHOLE
    if not (missing & known).any() or not (~missing & known).any():
        return NOBODY
    if np.ptp(solved[~missing & known]) == 0:
        return UNVARIED
    return ALL_ALIKE if np.ptp(ease[known]) == 0 else ""


def _standardised(solved: Array, ease: Array) -> Spread:
    n = len(solved)
    seen = ~np.isnan(solved)
    x = np.stack([np.ones(n), (ease - ease.mean()) / ease.std()], axis=1)
    fit = _logistic(x[seen], solved[seen])
    foreseen = _expit(x @ fit.slopes)
    mean = float(foreseen.mean())
    gradient = (foreseen * (1 - foreseen)) @ x / n
    residuals = np.where(seen, np.nan_to_num(solved) - foreseen, 0.0)
    moved = foreseen - mean + n * residuals * (x @ np.linalg.solve(fit.information, gradient))
    return Spread(mean, float(np.sqrt(np.sum(moved**2))) / n, np.inf, n)


@dataclass(frozen=True, slots=True)
class _Fit:
    slopes: Array
    information: Array


def _logistic(x: Array, y: Array) -> _Fit:
    """By Newton's steps, none so long that it could overshoot. `y` may be a share."""
    slopes, prior = np.zeros(x.shape[1]), np.diag([0.0, _PRIOR])
    for _ in range(_STEPS):
        rates = _expit(x @ slopes)
        step = np.linalg.solve(_information(x, slopes), x.T @ (y - rates) - prior @ slopes)
        slopes = slopes + step * min(1.0, _LONGEST / max(float(np.abs(step).max()), _NEAR))
        if np.abs(step).max() < _NEAR:
            break
    return _Fit(slopes, _information(x, slopes))


def _information(x: Array, slopes: Array) -> Array:
    rates = _expit(x @ slopes)
    return np.asarray((x * (rates * (1 - rates))[:, None]).T @ x + np.diag([0.0, _PRIOR]))


def _expit(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))
