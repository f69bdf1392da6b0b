"""What a check says of the grader, in words."""

from __future__ import annotations

from results.grader import Grader
from results.report.flips_text import sentence as sentence_of
from results.report.layout import percent, span
from results.stats.estimate import Estimate


def sentence(found: Grader) -> str:
    return (
        f"the grader, by the controls of {found.tasks} declared tasks: the reference patch fails "
        f"{_share(found.false_negative)}, an empty one passes {_share(found.false_positive)} of "
        f"its gradings; verdicts that flip: {_flips(found)}. Corrected (Rogan-Gladen): as though "
        "every patch were misjudged as often"
    )


def _share(found: Estimate) -> str:
    return f"{percent(found.value)}% {span((found.low, found.high))}"


def _flips(found: Grader) -> str:
    rate, most = found.flip_rate, found.flips_at_most
    if rate.value is None:
        return f"not known, {rate.reason}"
    left = "" if most.value is None else f"; a patch that did not may still, up to {most.value:.0%}"
    said = sentence_of(found.flip_chances, found.tasks)
    return f"{_share(rate)} of {rate.n} patches{left}" + (f"; {said}" if said else "")
