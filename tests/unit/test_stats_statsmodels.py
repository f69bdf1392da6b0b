"""The same figures from statsmodels, wherever it has the method too."""

from __future__ import annotations

import numpy as np
import pytest

from results.stats.clusters import clustered, plain
from results.stats.equivalence import equivalence
from results.stats.many import holm
from results.stats.noise import cochran, fleiss_kappa
from results.stats.paired import Pairs, mcnemar_exact
from results.stats.power import Gap, power_rerun, runs_needed
from results.stats.proportion import clopper_pearson, wilson
from results.stats.scores import Array
from results.stats.seeded import generator

# Of the dev extra; where only the product is installed there is nothing to check against.
pytest.importorskip("statsmodels")

from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import zt_ind_solve_power
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW


def verdicts(seed: int, tasks: int = 60, runs: int = 5) -> Array:
    """Tasks x runs, easier and harder tasks."""
    rng = generator(seed)
    return (rng.random((tasks, runs)) < rng.random(tasks)[:, None]).astype(float)


def test_intervals_of_a_proportion() -> None:
    for solved, n in [(0, 20), (1, 7), (27, 50), (421, 730), (730, 730)]:
        for level in (0.9, 0.95):
            other = proportion_confint(solved, n, alpha=1 - level, method="wilson")
            assert wilson(solved, n, level=level) == pytest.approx(other, abs=1e-9)
            other = proportion_confint(solved, n, alpha=1 - level, method="beta")
            assert clopper_pearson(solved, n, level=level) == pytest.approx(other, abs=1e-9)


def test_mcnemar_exact() -> None:
    for both, first, second, neither in [(200, 113, 59, 358), (3, 0, 4, 1), (5, 6, 6, 5)]:
        other = mcnemar([[both, first], [second, neither]], exact=True).pvalue
        found = mcnemar_exact(Pairs(both, first, second, neither)).p
        assert found == pytest.approx(other, rel=1e-9)


def test_holm() -> None:
    p = [0.001, 0.04, 0.03, 0.2, 0.049, 0.001, 0.9]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_cochrans_q_and_fleiss_kappa() -> None:
    table = verdicts(1)
    assert cochran(table).p == pytest.approx(cochrans_q(table).pvalue, rel=1e-9)
    counts = aggregate_raters(table.astype(int))[0]
    assert fleiss_kappa(table) == pytest.approx(kappa(counts), rel=1e-9)


def test_the_mean_of_tasks_and_of_clusters() -> None:
    values, rng = verdicts(2, 90).mean(axis=1), generator(3)
    spread = plain(values)
    assert spread is not None
    assert spread.interval(0.95) == pytest.approx(DescrStatsW(values).tconfint_mean(), abs=1e-9)
    assert spread.p(0.4) == pytest.approx(DescrStatsW(values).ttest_mean(0.4)[1], rel=1e-9)
    groups = rng.integers(8, size=90)
    model = OLS(values, np.ones(90))
    for kind, corrected in (("CR1", True), ("CR0", False)):
        how = {"groups": groups, "use_correction": corrected, "df_correction": True}
        other = model.fit(cov_type="cluster", cov_kwds=how, use_t=True)
        found = clustered(values, groups, kind)
        assert found is not None
        assert found.df == 7
        # Their CR1 also corrects for one parameter of n observations: (n-1)/(n-k), here 1.
        assert found.se == pytest.approx(float(other.bse[0]), rel=1e-9)
        assert found.interval() == pytest.approx(tuple(other.conf_int()[0]), abs=1e-9)


def test_equivalence_by_two_one_sided_tests() -> None:
    apart = verdicts(4, 200).mean(axis=1) - verdicts(5, 200).mean(axis=1)
    spread = plain(apart)
    assert spread is not None
    for margin in (0.02, 0.05, 0.1):
        other = DescrStatsW(apart).ttost_mean(-margin, margin)[0]
        assert equivalence(spread, margin).p == pytest.approx(other, rel=1e-6)


def test_power_for_a_rerun() -> None:
    gap, tasks = Gap(0.584, 0.577, 0.3), 731
    effect = gap.difference / np.sqrt(gap.run_variance)
    needed = runs_needed(gap, tasks) * tasks
    # One sample of task-wise differences: with their second group made infinite, ratio 0.
    other = zt_ind_solve_power(effect, nobs1=needed, alpha=0.05, ratio=0)
    assert other == pytest.approx(0.8, abs=1e-4)
    other = zt_ind_solve_power(effect, nobs1=5 * tasks, alpha=0.05, ratio=0)
    assert power_rerun(gap, tasks, 5) == pytest.approx(other, abs=1e-9)
