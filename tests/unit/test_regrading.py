"""The flip chance of each patch by beta-binomial: against other arithmetic, and a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from results.stats import regrading
from results.stats.regrading import NONE_TWICE, FlipChances, flip_chances, sd_of_score
from results.stats.scores import Array
from tests.unit.golden import reference

A, B = 0.3, 6.0


def test_two_gradings_of_the_real_patches_leave_the_variance_that_their_flips_show() -> None:
    for name in ("opus_pass1_vs_pass2", "gemini_pass1_vs_pass2"):
        golden = reference()["real_part2"]["flips"][name]
        kinds = {2: golden["n11"], 1: golden["flips"], 0: golden["n00"]}
        gradings = {f"{k}-{i}": (k, 2) for k, n in kinds.items() for i in range(n)}
        found = flip_chances(gradings)
        assert found.patches == golden["n"] and found.variance is not None
        # Two gradings differ with chance 2 phi (1 - phi).
        # A flat prior is worth a flip or two beyond those that were seen.
        assert golden["flips"] < 2 * found.variance * golden["n"] < golden["flips"] + 2
        assert found.mean is not None and golden["rate"] / 2 < found.mean < golden["rate"]
        moved = sd_of_score(found, 731)
        assert moved == pytest.approx(np.sqrt(golden["rate"] / 2 / 731), rel=0.05)


@pytest.mark.parametrize(("solved", "graded"), [(0, 3), (1, 3), (2, 3), (4, 5)])
def test_one_patch_under_a_known_prior_is_as_quadrature_has_it(
    solved: int, graded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = regrading._Prior(np.array([A]), np.array([B]), np.zeros(1))
    monkeypatch.setattr(regrading, "_prior", lambda: known)
    found = flip_chances({"t": (solved, graded)}).each["t"]

    def density(x: float, power: int = 0) -> float:
        # Both of x and 1 - x, since nobody says which verdict is the right one.
        likely = stats.binom.pmf(solved, graded, x) + stats.binom.pmf(solved, graded, 1 - x)
        return float(x**power * likely * (stats.beta.pdf(x, A, B) + stats.beta.pdf(1 - x, A, B)))

    def below(x: float, power: int = 0) -> float:
        # Substituted, since the density has no bound at zero.
        return float(
            integrate.quad(
                lambda u: density(u ** (1 / A), power) * u ** (1 / A - 1) / A, 0, x**A, limit=200
            )[0]
        )

    whole = below(0.5)
    assert found.value == pytest.approx(below(0.5, 1) / whole, rel=1e-6)
    assert below(found.low) / whole == pytest.approx(0.025, abs=1e-6)
    assert below(found.high) / whole == pytest.approx(0.975, abs=1e-6)


def test_a_patch_that_never_flipped_has_the_bound_of_its_own_gradings_too() -> None:
    found = flip_chances({"a": (3, 3), "b": (0, 3), "c": (1, 3), "d": (59, 59), "e": (1, 1)})
    assert found.patches == 4 and "e" not in found.each
    assert found.each["a"] == found.each["b"]
    assert found.each["a"].at_most == pytest.approx(1 - 0.05 ** (1 / 3))
    assert found.each["d"].at_most == pytest.approx(0.0495, abs=1e-4)
    assert found.each["c"].at_most is None
    assert found.each["d"].value < found.each["a"].value < found.each["c"].value
    assert found.steady == found.each["a"]


def test_many_patches_that_never_flip_make_each_other_trustworthy() -> None:
    few, many = (flip_chances({str(i): (3, 3) for i in range(n)}) for n in (5, 500))
    assert few.mean is not None and many.mean is not None and many.mean < few.mean / 10
    assert many.each["0"].high < 0.01 < few.each["0"].high


def test_without_a_second_grading_it_is_null_with_the_reason() -> None:
    for gradings in ({}, {"a": (1, 1), "b": (0, 1)}):
        found = flip_chances(gradings)
        assert (found.mean, found.patches, found.reason) == (None, 0, NONE_TWICE)
        assert sd_of_score(found, 10) is None and found.steady is None


def planted(rng: np.random.Generator, times: int, n: int = 300) -> tuple[Array, FlipChances]:
    """Patches that are right or wrong, graded with chances that vary; and what is made of them."""
    chances = np.minimum(rng.beta(A, B, n), 0.5)
    right = rng.random(n) < 0.4
    solved = rng.binomial(times, np.where(right, 1 - chances, chances))
    return chances, flip_chances({str(i): (int(c), times) for i, c in enumerate(solved)})


def covered(replicates: int, times: int) -> Array:
    """Of all patches, how many are in their own interval, and in that of the mean; and what was
    found over what is true of phi (1 - phi)."""
    rng, rows = np.random.default_rng(times), []
    for _ in range(max(5, replicates // 80)):
        chances, found = planted(rng, times)
        assert found.low is not None and found.high is not None and found.variance is not None
        ends = np.array([(one.low, one.high) for one in found.each.values()])
        alone = (ends[:, 0] <= chances) & (chances <= ends[:, 1])
        together = (found.low <= chances) & (chances <= found.high)
        ratio = found.variance / float(np.mean(chances * (1 - chances)))
        rows.append((alone.mean(), together.mean(), ratio))
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("times", [2, 3, 5])
def test_each_interval_covers_the_chance_of_its_patch(replicates: int, times: int) -> None:
    alone, together, ratio = covered(replicates, times)
    assert alone > 0.93
    # The interval of the mean is not that of a patch: it must fail where it is used for one.
    assert together < 0.3
    assert ratio == pytest.approx(1, abs=0.2)
