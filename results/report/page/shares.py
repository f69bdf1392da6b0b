"""How much of a study's scores is model and how much scaffold, and what one verdict depends on."""

from __future__ import annotations

from collections.abc import Mapping

from results.crossing import Variance
from results.report.crossing_text import HEAD, PARTS, PARTS_HEAD, designs, parts, row, sentences
from results.report.page.markup import Html, behind, figure, numbers, tag, why
from results.report.page.scene import Scene
from results.report.page.shapes import Part, stacked
from results.report.page.study import Study


def variance(scene: Scene, found: Study) -> Html:
    """In words, then two bars, the parts, and the effects of the factors."""
    heading, crossed = "How much of the score is scaffold", found.crossed
    if crossed is None:
        reason = "the conditions differ in the model alone, or in more than model and scaffold"
        return tag("div", figure("", heading, why(reason)), id="variance")
    body: list[Html] = [tag("p", text[0].upper() + text[1:] + ".") for text in sentences(crossed)]
    if crossed.variance:
        body += _bars(crossed.variance)
    if crossed.effects:
        head = [text.replace("\n", " ") for text in HEAD]
        body.append(numbers(head, [row(effect) for effect in crossed.effects]))
    body.append(behind("#tasks", scene.comparing("--json")))
    return tag("div", figure("", heading, *body), id="variance")


def _bars(split: Variance) -> list[Html]:
    kinds = f"of scores, {len(split.models)} models x {len(split.scaffolds)} scaffolds"
    found = [(kinds, _parts(split.score)), ("of one verdict", _parts(split.verdict))]
    bars = [(name, shown) for name, shown in found if shown]
    reasons = list(dict.fromkeys(part.reason for part in split.parts.values() if part.reason))
    return [
        stacked(bars) if bars else why("the parts add up to nothing"),
        *(why(reason) for reason in reasons),
        numbers(list(PARTS_HEAD), parts(split)),
        tag("p", designs(split), class_="fine"),
    ]


_KINDS = {"model": "b", "scaffold": "o", "model_x_scaffold": "g", "instance": "v", "run": "r"}


def _parts(shares: Mapping[str, float | None]) -> list[Part]:
    """What is above 0, the small interactions together, and what one run leaves unseparated."""
    known = {name: max(0.0, share or 0.0) for name, share in shares.items()}
    total = sum(known.values())
    if total == 0:
        return []
    found = [
        (PARTS[name], known[name], kind)
        for name, kind in _KINDS.items()
        if name in known and shares[name] is not None
    ]
    rest = sum(share for name, share in known.items() if name not in _KINDS)
    found += [("pairings with issues and repositories", rest, "w")] if rest > 0 else []
    if None in shares.values() and total < 1:
        found.append(("run noise and what one run cannot part from it", 1 - total, "r"))
        total = 1.0
    return [Part(name, n / total, f"{100 * n / total:.0f}%", kind) for name, n, kind in found]
