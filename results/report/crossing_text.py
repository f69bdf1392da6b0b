"""A crossed study in words and tables: how much of the score is scaffold, and what factors do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from results.crossing import MARGIN, Crossed, Variance
from results.report.layout import clean, grid
from results.stats.estimate import Estimate
from results.stats.factorial import Effect

PARTS = {
    "model": "model",
    "scaffold": "scaffold",
    "model_x_scaffold": "their pairing",
    "repo": "repository",
    "instance": "issue",
    "model_x_repo": "model x repository",
    "scaffold_x_repo": "scaffold x repository",
    "ms_x_repo": "all three, repository",
    "model_x_instance": "model x issue",
    "scaffold_x_instance": "scaffold x issue",
    "ms_x_instance": "all three, issue",
    "run": "run noise",
}


def as_lines(found: Crossed | None, width: int) -> list[str]:
    if found is None:
        return []
    lines = [piece for text in sentences(found) for piece in _wrapped(text, width)]
    if found.effects:
        lines += ["", *grid(HEAD, [row(effect) for effect in found.effects], width=width)]
    if found.variance:
        lines += ["", *_variance(found.variance, width)]
    return lines


def sentences(found: Crossed) -> Iterator[str]:
    """How much is the scaffold, in words; then what single factors do."""
    variance = found.variance
    if variance is None:
        yield f"how much of the score is scaffold: not known; {found.reason}"
    elif variance.all_scaffold is None:
        reasons = [part.reason for part in variance.parts.values() if part.reason]
        why = reasons[0] if reasons else "these scores differ by no more than noise"
        yield f"how much of the score is scaffold: not known; {why}"
    else:
        yield _split(variance)
    for effect in found.effects:
        if effect.new_issues.value is not None and _of_a_factor(effect):
            yield _said(effect)
    mixed = [e for e in found.effects if e.aliases and e.new_issues.value is not None]
    for effect in mixed:
        yield f"{effect.name} cannot be told from {', '.join(dict.fromkeys(effect.aliases))} here"


def _of_a_factor(effect: Effect) -> bool:
    """Models are compared pair by pair elsewhere."""
    return len(effect.moved) == 1 and effect.name != "model"


def _split(found: Variance) -> str:
    shares = ", ".join(
        f"{PARTS[name]} {_percent(share)}{_se(found.score_se.get(name))}"
        for name, share in found.score.items()
    )
    whole = _percent(found.all_scaffold) + _se(found.score_se.get("all_scaffold"))
    return (
        f"how much of the score is scaffold: {whole} of the variance between these "
        f"{len(found.models) * len(found.scaffolds)} scores, with its pairing with models "
        f"({shares}); run noise is not in it. Levels are those that were run, no sample of all"
    )


def _said(effect: Effect) -> str:
    (factor, base, other), value = effect.moved[0], effect.new_issues
    head = f"{clean(factor)}: {clean(other)} instead of {clean(base)} brings {points(value.value)}"
    told = {
        "better": "it raises the score",
        "worse": "it lowers the score",
        "equivalent": f"no more than {100 * MARGIN:g} points either way",
        "undecided": "undecided, which is no tie",
        None: "not tested",
    }
    return f"{head} points {ends(value)} on new issues: {told[effect.word]}"


HEAD = (
    *("effect", "from", "to", "points", "A: reruns", "B: new issues"),
    *("C: new\nrepositories", "p (B)\nHolm"),
)


def row(effect: Effect) -> list[str]:
    base = "/".join(clean(b) for _, b, _ in effect.moved)
    other = "/".join(clean(o) for _, _, o in effect.moved)
    p = effect.p_holm
    return [
        effect.name,
        base,
        other,
        points(effect.new_issues.value),
        ends(effect.rerun),
        ends(effect.new_issues),
        ends(effect.new_repos),
        "-" if p is None else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}",
    ]


def parts(found: Variance) -> list[list[str]]:
    """Each component: its SD in points with the variance's error, and its share of both wholes."""
    return [
        [
            PARTS[name],
            "-" if part.variance is None else f"{100 * max(0.0, part.variance) ** 0.5:.1f}",
            _percent(found.score.get(name)) + _se(found.score_se.get(name)),
            _percent(found.verdict.get(name)),
        ]
        for name, part in found.parts.items()
        if name in PARTS
    ]


PARTS_HEAD = ("part", "SD, points", "of the score (SE)", "of one verdict")


def _variance(found: Variance, width: int) -> Iterator[str]:
    yield from grid(PARTS_HEAD, parts(found), width=width)
    for reason in dict.fromkeys(part.reason for part in found.parts.values() if part.reason):
        yield from _wrapped(f"a dash: {reason}", width)
    yield ""
    yield from _wrapped(designs(found), width)


def designs(found: Variance) -> str:
    """The design table of generalizability theory, in words."""
    known = [one for one in found.designs if one.value is not None]
    if not known:
        reason = found.designs[0].reason if found.designs else "no design was tried"
        return f"how reliably such a study ranks models: not known; {reason}"
    tasks = known[0].design.tasks
    cases = ", ".join(
        f"{one.value:.2f} at {one.design.repeats} x {one.design.scaffolds}" for one in known
    )
    best = found.cheapest
    reach = (
        "no design tried reaches 0.90"
        if best is None
        else f"0.90 takes {best.design.tasks} tasks, {best.design.repeats} repeats, "
        f"{best.design.scaffolds} scaffolds ({best.design.attempts} attempts of each model)"
    )
    head = f"reliability of the ranking of models on {tasks} tasks, repeats x scaffolds"
    return f"{head}: {cases}; {reach}"


def points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.1f}"


def ends(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"[{points(found.low)}, {points(found.high)}]"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{round(100 * share) + 0:d}%"


def _se(error: float | None) -> str:
    return "" if error is None else f" (SE {100 * error:.0f})"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ")
