"""All 23 public runs: single scores, pairs, ranks, gradings and the share of the scaffold, as they
were worked out elsewhere. The data lie beside this checkout and are never copied here."""

from __future__ import annotations

import csv
import re
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from results.stats import differences
from results.stats.clusters import clustered, likeness, plain, stratified
from results.stats.components import components, score_share_errors, score_shares, verdict_shares
from results.stats.differences import pair
from results.stats.equivalence import equivalence
from results.stats.flips import flip_rate
from results.stats.many import holm, max_t, rank_sets
from results.stats.missing import with_missing
from results.stats.noise import cochran, fleiss_kappa, run_noise
from results.stats.paired import bonett_price, mcnemar_exact, mcnemar_midp, pairs, tango
from results.stats.passk import pass_k
from results.stats.proportion import clopper_pearson, wilson
from results.stats.scores import Array, labels
from tests.unit.golden import FOLDER, near, reference
from tests.unit.test_stats_real import board

PAPER = {
    "Claude Sonnet 4": ("Claude Sonnet 4 - paper", "Claude 4 Sonnet - 10132025"),
    "GPT-5": ("GPT-5 High - paper", "GPT-5 - 10132025"),
    "Gemini 2.5 Pro": (
        "Gemini 2.5 Pro Preview - paper",
        "Gemini 2.5 Pro Preview -- debug-oct22",
    ),
}
"""The same model with about 50 turns, and with 250."""


@cache
def runs() -> tuple[dict[str, Array], Array]:
    """Verdicts of all public runs over the 730 issues that occur in any, and their repositories."""
    path = FOLDER / "data" / "agent_runs.csv"
    official, _ = board()
    if not path.exists():
        pytest.skip("the public runs are not beside this checkout (../shared/data)")
    verdicts: dict[str, dict[str, float]] = {}
    with path.open() as stream:
        for row in csv.DictReader(stream):
            told = verdicts.setdefault(f"docent/{row['run']}", {})
            told[row["instance_id"]] = float(row["resolved"] == "true")
    issues = _issues()
    tables = {f"official/{name}": table for name, table in official.items()}
    for name, told in verdicts.items():
        tables[name] = np.array([told.get(issue, np.nan) for issue in issues])
    seen = ~np.isnan(np.stack(list(tables.values()))).all(axis=0)
    repos = np.array([re.sub(r"^instance_(.+?)-[0-9a-f]{40}.*", r"\1", i) for i in issues])
    return {name: table[seen] for name, table in tables.items()}, repos[seen]


def _issues() -> list[str]:
    rows = (FOLDER / "data" / "swe_bench_pro" / "test.jsonl").read_text().splitlines()
    return sorted(re.findall(r'"instance_id": ?"([^"]+)"', "\n".join(rows)))


def of(source: str) -> dict[str, Array]:
    return {n.split("/", 1)[1]: t for n, t in runs()[0].items() if n.startswith(source)}


def test_every_single_score_is_as_was_found_elsewhere() -> None:
    golden, (tables, repos) = reference()["real_part1"]["single"], runs()
    assert golden.keys() == tables.keys() and len(tables) == 23
    for name, expected in golden.items():
        verdicts = tables[name]
        kept = ~np.isnan(verdicts)
        seen, groups = verdicts[kept], labels(repos[kept])
        solved, n, missing = int(seen.sum()), len(seen), int(np.sum(~kept))
        assert (solved, n, missing) == (expected["solved"], expected["n"], expected["missing"])
        assert wilson(solved, n) == near(expected["wilson"], 2e-6), name
        assert clopper_pearson(solved, n) == near(expected["clopper_pearson"], 2e-6), name
        errors = {"se_naive": plain(seen), "se_strat": stratified(seen, groups)}
        errors |= {"se_cr1": clustered(seen, groups, "CR1"), "se_cr2": clustered(seen, groups)}
        for key, spread in errors.items():
            assert spread and spread.se == near(expected[key], 2e-5), (name, key)
        wide, alike = errors["se_cr2"], likeness(seen, groups)
        assert wide and wide.df == near(expected["df_cr2"], 2e-5)
        assert wide.interval() == near(expected["ci_cr2"], 2e-5)
        assert alike and alike.icc == near(expected["icc_repo"], 2e-5), name
        told = with_missing(solved, n - solved, missing)
        assert told and told.bounds == near(expected["mnar"]["bounds"], 2e-6)
        assert told.interval == near(expected["mnar"]["im_ci"], 2e-6), name
        assert (told.complete_case, told.as_unsolved) == near(
            (expected["mnar"]["complete_case"], expected["mnar"]["itt"]), 2e-6
        )


def test_all_91_pairs_of_the_other_export_are_as_was_found_elsewhere() -> None:
    golden, tables, repos = reference()["real_part1"], of("docent"), runs()[1]
    rows = {(row["a"], row["b"]): row for row in golden["pairs_docent14"]}
    exact, expected = [], []
    for (a, b), row in rows.items():
        table, paired = pairs(tables[a], tables[b]), pair(tables[a], tables[b], repos)
        assert (table.both, table.first, table.second, table.neither) == (
            row["n11"],
            row["n10"],
            row["n01"],
            row["n00"],
        )
        score, within = tango(table), plain(paired.differences)
        across = clustered(paired.differences, paired.repos)
        assert across and within
        found: dict[str, Any] = {
            "tango": (score.low, score.high),
            "bonett_price": bonett_price(table),
            "p_exact": mcnemar_exact(table).p,
            "p_midp": mcnemar_midp(table).p,
            "p_t": within.p(),
            "p_signflip_repo": differences.flip_repos(paired, rng=np.random.default_rng(0)).p,
            "ci_cr2": across.interval(),
            "tost5": equivalence(within, 0.05).p,
            "smallest_margin": equivalence(within, 0.05).smallest_margin,
            "phi": differences.correlation(paired),
        }
        for key, value in found.items():
            assert value == near(row[key], 2e-6), (a, b, key)
        assert differences.flip_tasks(paired).p == pytest.approx(found["p_exact"], abs=1e-9)
        exact.append(mcnemar_exact(table).p or 0.0)
        expected.append(row["p_holm"])
    assert holm(exact) == near(expected, 2e-6)
    assert len(rows) == 91 and sum(p < 0.05 for p in holm(exact)) == 72


@pytest.mark.parametrize(("source", "name"), [("official", "official9"), ("docent", "docent14")])
def test_ranks_that_are_left_open_and_where_the_cut_is(source: str, name: str) -> None:
    golden, tables = reference(), of(source)
    found = max_t(np.stack(list(tables.values()), axis=1), rng=np.random.default_rng(4))
    assert found.critical == pytest.approx(golden["real_part1"][f"maxT_crit_{name}"], rel=0.02)
    open_, expected = rank_sets(found, len(tables)), golden["real_part1"][f"ranks_{name}"]
    differ = sum(
        [ranks.best, ranks.worst] != expected[system]["rank_set"]
        for system, ranks in zip(tables, open_, strict=True)
    )
    assert differ <= 1, "a rank near the line may fall to either side of the resamples"
    cut, every = golden["real_part4"][name], list(combinations(tables, 2))
    found_pairs = [pairs(tables[a], tables[b]) for a, b in every]
    apart = [p < 0.05 for p in holm([mcnemar_exact(t).p or 0.0 for t in found_pairs])]
    gaps = [abs(t.difference or 0.0) for t in found_pairs]
    assert (len(every), sum(apart)) == (cut["pairs"], cut["separable_holm"])
    smallest = min(g for g, told in zip(gaps, apart, strict=True) if told)
    largest = max(g for g, told in zip(gaps, apart, strict=True) if not told)
    assert (smallest, largest) == near((cut["min_separable_gap"], cut["max_inseparable_gap"]), 2e-6)


def test_one_set_of_patches_graded_twice() -> None:
    golden, official, docent = reference()["real_part2"]["flips"], of("official"), of("docent")
    again = docent["Claude Opus 4.1 - paper"]
    assert np.array_equal(official["claude-sonnet-4-paper"], again, equal_nan=True)
    twice = {
        "opus_pass1_vs_pass2": (official["claude-opus-4-1-paper"], again),
        "gemini_pass1_vs_pass2": (
            official["gemini-2-5-pro-preview-paper"],
            docent["Gemini 2.5 Pro Preview - paper"],
        ),
    }
    for name, (one, other) in twice.items():
        table, expected = pairs(one, other), golden[name]
        flips = table.first + table.second
        assert (table.n, flips, table.second) == (expected["n"], expected["flips"], expected["c"])
        rate = flip_rate(flips, table.n)
        assert (rate.value, rate.low, rate.high) == near(
            (expected["rate"], *expected["wilson"]), 2e-6
        )


def test_how_much_of_the_score_of_three_models_is_the_turns_that_they_had() -> None:
    golden, tables, repos = reference(), of("docent"), runs()[1]
    for model, (low, high) in PAPER.items():
        expected = golden["real_part2"]["factor_pro"][model]
        table = pairs(tables[high], tables[low])
        assert (table.n, table.first, table.second) == (expected["n"], expected["b"], expected["c"])
        assert table.difference == near(expected["effect"], 2e-6)
        across = differences.new_repos(pair(tables[high], tables[low], repos))
        assert (across.low, across.high) == near(expected["ci_cr2"], 2e-5)
    cells = np.stack(
        [np.stack([tables[name] for name in PAPER[model]], axis=1) for model in PAPER], axis=1
    )[..., None]
    found = components(cells, repos, rng=np.random.default_rng(0))
    for name, expected in golden["real_part2"]["vc_pro_3x2_all"].items():
        assert found[name].variance == (
            None if expected["var"] is None else near(expected["var"], 2e-6)
        ), name
    shares, expected = score_shares(found), golden["real_part4"]["share_pro_3x2"]
    assert shares["model"] == near(expected["model_main"][0], 2e-6)
    assert shares["scaffold"] == near(expected["scaffold_main"][0], 2e-6)
    errors = score_share_errors(cells, repos, rng=np.random.default_rng(0))
    assert errors["model"] == pytest.approx(expected["model_main"][1], rel=0.6)
    of_one = verdict_shares(found)
    names = {"instance": "instance", "repo": "repo", "model_x_instance": "mi"}
    for name, key in names.items():
        assert of_one[name] == near(expected[key][0], 2e-6), name


def test_the_issues_that_all_have_measured_split_as_was_found_elsewhere() -> None:
    golden, tables, repos = reference(), of("docent"), runs()[1]
    cells = np.stack(
        [np.stack([tables[name] for name in PAPER[model]], axis=1) for model in PAPER], axis=1
    )
    whole = ~np.isnan(cells).any(axis=(1, 2))
    means = cells[whole].mean(axis=0)
    expected = golden["real_part2"]["cells_complete"]
    assert means.ravel() == near(np.ravel(expected), 2e-6)
    found = components(cells[whole][..., None], repos[whole], rng=np.random.default_rng(0))
    parts = dict(golden["real_part2"]["vc_pro_3x2_complete"])
    assert whole.sum() == parts.pop("n")
    for name, expected in parts.items():
        assert found[name].variance == (
            None if expected["var"] is None else near(expected["var"], 2e-6)
        ), name
    common = golden["real_part3"]["common_250"]
    many = np.stack([tables[name] for name in common["score"]], axis=1)
    all_have = ~np.isnan(many).any(axis=1)
    assert all_have.sum() == common["n"]
    assert many[all_have].mean(axis=0) == near(list(common["score"].values()), 2e-6)


def test_four_runs_of_one_system_on_fifty_tasks() -> None:
    golden = reference()["real_part2"]["tau_airline_gpt4o"]
    table = np.array([[1.0] * c + [0.0] * (4 - c) for c in golden["counts"]])
    noise, expected = run_noise(table), golden["noise"]
    assert noise and (noise.within, noise.between, noise.share, noise.sd_run) == near(
        (expected["within"], expected["var_p"], expected["f"], expected["sd_run"]), 2e-6
    )
    assert (noise.agreement, noise.reliability, noise.correlation) == near(
        (expected["agree"], expected["spearman_brown"], golden["pingouin_icc1"]), 2e-6
    )
    assert fleiss_kappa(table) == near(golden["fleiss_kappa"], 2e-6)
    assert cochran(table).p is not None
    for k, expected in golden["k"].items():
        found = pass_k(table, int(k))
        assert (found.at_least_one.value, found.all_of_them.value) == near(
            (expected["pass_at"], expected["pass_hat"]), 2e-6
        )


def test_clusters_and_bounds_on_one_systems_noise_agree_with_other_programs() -> None:
    golden, tables, repos = reference(), of("docent"), runs()[1]
    expected = golden["cross_checks_in_R"]["clubSandwich_CR2"]
    one = tables["Claude 4.5 Sonnet - 10132025"]
    kept = ~np.isnan(one)
    alone = clustered(one[kept], labels(repos[kept]))
    assert alone and (alone.se, alone.df) == pytest.approx(
        (expected["sonnet45_mean_se"], expected["df"]), abs=0.003
    )
    both = pair(one, tables["GPT-5 - 10132025"], repos)
    across = clustered(both.differences, both.repos)
    assert across and across.se == pytest.approx(expected["diff_vs_gpt5_se"], abs=1e-4)
    for row in golden["real_part3"]["f_upper_bounds_pro"]:
        alike = differences.correlation(pair(tables[row["a"]], tables[row["b"]], repos))
        assert alike == near(row["phi"], 2e-6), row["a"]
