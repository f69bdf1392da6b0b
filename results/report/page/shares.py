"""How much of a study's scores is model and how much scaffold, and what one verdict depends on."""

from __future__ import annotations

from results.report.page.markup import Html, behind, figure, numbers, tag, why
from results.report.page.scene import Scene
from results.report.page.shapes import Part, stacked
from results.report.page.spelt import NONE
from results.report.page.study import Study

_NAMES = {
    "model": "model",
    "scaffold": "scaffold",
    "model_x_scaffold": "their pairing",
    "repo": "repository",
    "instance": "issue",
    "model_x_instance": "model x issue",
    "scaffold_x_instance": "scaffold x issue",
    "ms_x_instance": "all three",
    "run": "run noise",
}


def variance(scene: Scene, found: Study) -> Html:
    heading = "How much of the score is scaffold"
    if found.variance is None:
        reason = (
            "it takes two models or more, each run with the same two scaffolds or more, "
            "all else equal"
        )
        return tag("div", figure("", heading, why(reason)), id="variance")
    split = found.variance
    parts = [
        (
            f"of scores, {len(split.models)} models x {len(split.scaffolds)} scaffolds",
            _parts(split.score),
        )
    ]
    parts.append(("of one verdict", _parts(split.verdict)))
    bars = [(name, shown) for name, shown in parts if shown]
    reasons = list(dict.fromkeys(part.reason for part in split.parts.values() if part.reason))
    body = [
        [
            _NAMES.get(name, name.replace("_x_", " x ")),
            NONE if part.variance is None else f"{100 * max(0.0, part.variance) ** 0.5:.1f}",
            _share(split.score.get(name)),
            _share(split.verdict.get(name)),
        ]
        for name, part in split.parts.items()
        if name != "total"
    ]
    head = ["part", "SD, points", "of the score", "of one verdict"]
    return tag(
        "div",
        figure(
            "",
            heading,
            stacked(bars) if bars else why("the parts add up to nothing"),
            *(why(reason) for reason in reasons),
            tag("p", "Levels are those that were run, not a sample of all.", class_="fine"),
            numbers(head, body),
            behind("#tasks", scene.comparing("--html page.html")),
        ),
        id="variance",
    )


_KINDS = {"model": "b", "scaffold": "o", "model_x_scaffold": "g", "instance": "v", "run": "r"}


def _parts(shares: dict[str, float | None]) -> list[Part]:
    """What is above 0, the small interactions together, and what one run leaves unseparated."""
    known = {name: max(0.0, share or 0.0) for name, share in shares.items()}
    total = sum(known.values())
    if total == 0:
        return []
    found = [
        (_NAMES[name], known[name], kind)
        for name, kind in _KINDS.items()
        if name in known and shares[name] is not None
    ]
    rest = sum(share for name, share in known.items() if name not in _KINDS)
    found += [("pairings with issues and repositories", rest, "w")] if rest > 0 else []
    if None in shares.values() and total < 1:
        found.append(("run noise and what one run cannot part from it", 1 - total, "r"))
        total = 1.0
    return [Part(name, n / total, f"{100 * n / total:.0f}%", kind) for name, n, kind in found]


def _share(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f}%"
