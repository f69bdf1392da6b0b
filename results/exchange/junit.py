"""JUnit XML: a suite for each condition, a case for each attempt, for whatever shows test runs."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.types import Faulted, Graded
from results.blobs import publish
from results.exchange.settled import Settled, Written, names, one_file, settled
from results.store import RunStore

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def export(store: RunStore, into: Path) -> Written:
    """Not resolved is a failure, no measurement an error, what is owed is skipped."""
    place = one_file(into)
    called = names(store.manifest())
    root = ET.Element("testsuites", name=_text(store.folder.resolve().name))
    suites = {d: ET.SubElement(root, "testsuite", name=_text(n)) for d, n in called.items()}
    total = 0
    for each in settled(store):
        suites[each.attempt.condition].append(_case(each, called[each.attempt.condition]))
        total += 1
    for node in (*suites.values(), root):
        _count(node)
    ET.indent(root)
    publish(place, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return Written((place,), total)


def _case(each: Settled, called: str) -> ET.Element:
    times = f" #{each.attempt.repeat}" if each.arm.repeats > 1 else ""
    seconds = each.record.clocks.total if each.record else 0.0
    case = ET.Element(
        "testcase",
        classname=_text(called),
        name=_text(f"{each.attempt.task}{times}"),
        time=f"{seconds:.3f}",
    )
    match each.record:
        case None:
            ET.SubElement(case, "skipped", message="owed: it has not been measured")
        case Faulted(culprit=culprit, message=message):
            line = next(iter(message.splitlines()), "")
            fault = ET.SubElement(case, "error", type=culprit, message=_text(line))
            fault.text = _text(message)
        case Graded(verdict=verdict, ending=ending):
            if not verdict.resolved:
                said = f"{verdict.reason}; ended: {ending.value}"
                ET.SubElement(case, "failure", type=verdict.reason, message=said)
    return case


def _count(node: ET.Element) -> None:
    """The attributes that readers add up."""
    cases = list(node.iter("testcase"))
    node.set("tests", str(len(cases)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        node.set(name, str(sum(case.find(kind) is not None for case in cases)))
    node.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _text(text: str) -> str:
    """What XML can hold at all; the rest as a question mark."""
    return _NO_XML.sub("?", text)
