"""Published verdicts of real systems, where they lie beside this checkout: never copied here."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from results.stats import differences
from results.stats.clusters import clustered, plain, stratified
from results.stats.differences import pair
from results.stats.equivalence import equivalence
from results.stats.many import holm
from results.stats.paired import mcnemar_exact, mcnemar_midp, pairs, tango
from results.stats.scores import Array, labels
from tests.unit.golden import FOLDER, near, reference


@cache
def board() -> tuple[dict[str, Array], list[str]]:
    """Verdicts by system over the public issues, and each issue's repository."""
    verdicts, rows = FOLDER / "data" / "verdicts", FOLDER / "data" / "swe_bench_pro" / "test.jsonl"
    if not verdicts.exists() or not rows.exists():
        pytest.skip("the published verdicts are not beside this checkout (../shared/data)")
    with rows.open() as stream:
        issues = sorted(json.loads(line)["instance_id"] for line in stream)
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(verdicts.glob("*.json"))}
    systems = {
        name: np.array([float(table[i]) if i in table else np.nan for i in issues])
        for name, table in tables.items()
    }
    return systems, [re.sub(r"^instance_(.+?)-[0-9a-f]{40}.*", r"\1", issue) for issue in issues]


def found(a: str, b: str) -> tuple[Any, dict[str, float | None]]:
    systems, repos = board()
    paired = pair(systems[a], systems[b], repos)
    table = pairs(systems[a], systems[b])
    rng = np.random.default_rng(0)
    within, across = plain(paired.differences), clustered(paired.differences, paired.repos)
    assert within and across
    low, high = across.interval()
    return paired, {
        "n": table.n,
        "diff": table.difference,
        "p_exact": mcnemar_exact(table).p,
        "p_midp": mcnemar_midp(table).p,
        "p_t": within.p(),
        "se_cr2": across.se,
        "df_cr2": across.df,
        "p_cr2": across.p(),
        "p_signflip_repo": differences.flip_repos(paired, rng=rng).p,
        "phi": differences.correlation(paired),
        "tost5": equivalence(within, 0.05).p,
        "smallest_margin": equivalence(within, 0.05).smallest_margin,
        "low": low,
        "high": high,
        "tango_low": tango(table).low,
    }


def test_every_published_pair_compares_as_was_found_elsewhere() -> None:
    golden = {(row["a"], row["b"]): row for row in reference()["real_part1"]["pairs_official9"]}
    names = sorted(board()[0])
    exact, expected = [], []
    for a, b in combinations(names, 2):
        row = golden[a, b]
        _, values = found(a, b)
        for key in values.keys() & row.keys():
            assert values[key] == near(row[key], 2e-6), (a, b, key)
        assert (values["low"], values["high"]) == near(row["ci_cr2"], 2e-6)
        assert values["tango_low"] == near(row["tango"][0], 2e-6)
        exact.append(values["p_exact"] or 0.0)
        expected.append(row["p_holm"])
    assert holm(exact) == near(expected, 2e-6)
    assert sum(p < 0.05 for p in holm(exact)) == 31


def test_clustering_by_repository_more_than_doubles_the_error_of_a_strong_run() -> None:
    systems, repos = board()
    verdicts = systems["claude-45sonnet-10132025"]
    kept = ~np.isnan(verdicts)
    groups = labels(np.array(repos)[kept])
    whole, wide = plain(verdicts[kept]), clustered(verdicts[kept], groups)
    fixed = stratified(verdicts[kept], groups)
    assert whole and wide and fixed
    assert (whole.se, fixed.se, wide.se) == pytest.approx((0.0184, 0.0179, 0.0419), abs=1e-4)
    assert wide.df == pytest.approx(8.98, abs=0.01)
