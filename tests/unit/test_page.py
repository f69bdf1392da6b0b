"""The page holds every block, every attempt and no foreign markup, in one file of bounded size."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.codec import encode
from harness.errors import UsageError
from harness.types import Brief, Condition, Environment, Part, Task, TaskId
from harness.verbs import comparing, reporting
from results.comparison import compare
from results.manifest import Manifest, manifest
from results.report.build import build
from results.report.markdown import as_markdown, comparison_as_markdown
from results.report.page.among import printed_ranks
from results.report.page.findings import by_repo, steadiness
from results.report.page.markup import tag
from results.report.page.spelt import mirrored, short, signed
from results.report.page.study import study
from results.report.page.svg import Axis, around
from results.report.page.whole import page
from tests.e2e.commands import harness
from tests.unit.run_folders import BY, attempt, condition, declared, faulted, graded, stored

EVIL = '<img src=x onerror="alert(1)">&"\'</script><script>alert(2)</script>'
VOID = {"meta", "input", "br", "hr"}


class Reader(HTMLParser):
    """Elements with their attributes, and whether every one is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((name, dict(attrs)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open and self.open.pop() == name, f"{name} closes out of turn"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def paged(*folders: Path, **changed: Any) -> str:
    return page(folders, typed=[f.name for f in folders], **{"beside": folders[0]} | changed)


def study_of(names: list[str], repeats: int = 2) -> Manifest:
    """Two models x two scaffolds on tasks of four repositories."""
    box = Environment("i", "/w")
    tasks = [
        Task(Brief(TaskId(name), "?", box), {}, "g", "set@1", {"repo": f"acme/r{i % 4}"})
        for i, name in enumerate(names)
    ]
    conditions = [
        Condition(Part(model), Part(scaffold), Part("docker"))
        for model in ("m", "n")
        for scaffold in ("editor", "bash")
    ]
    return manifest(tasks, conditions, repeats=repeats, left_out={}, experiment={}, by=BY)


@pytest.fixture
def crossed(tmp_path: Path) -> Path:
    run = study_of([f"t{i}" for i in range(24)])
    order = list(run.conditions)
    records = [
        # Harder from task to task, easier from condition to condition, and a little luck.
        graded(key, i * 37 % 24 < 20 - i // 8 + 3 * order.index(key.condition), usd=1.0 + i % 3)
        for i, key in enumerate(run.planned())
    ]
    return stored(tmp_path / "crossed", run, records).folder


def test_a_card_has_its_nine_blocks_and_the_page_its_comparison(crossed: Path) -> None:
    html = read(paged(crossed))
    numbers = [a for name, a in html.found if name == "span" and a.get("class") == "no"]
    assert len(numbers) == 4 * 9
    for heading in ("Score", "Repeatability", "How much is luck", "Rank", "By repository"):
        assert html.text.count(heading) >= 4
    for heading in ("Ranks left open", "Cost against score", "How much of the score is scaffold"):
        assert heading in html.text
    for question in ("A rerun", "B new issues", "C new repositories", "bounds"):
        assert question in html.text
    assert "of scores, 2 models x 2 scaffolds" in html.text and "of one verdict" in html.text


def test_every_picture_says_in_words_what_it_shows(crossed: Path) -> None:
    html = read(paged(crossed))
    pictures = [a for name, a in html.found if name == "svg"]
    assert len(pictures) > 20
    assert len([name for name, _ in html.found if name == "desc"]) == len(pictures)
    assert {a.get("role") for a in pictures} == {"img"}


def test_every_link_within_the_page_leads_somewhere(crossed: Path) -> None:
    html = read(paged(crossed))
    places = {a["id"] for _, a in html.found if a.get("id")}
    links = {a["href"] or "" for name, a in html.found if name == "a"}
    assert links and all(link.startswith("#") for link in links)
    assert {link[1:].split("/")[0] for link in links} <= places


def test_every_block_says_the_command_that_makes_it_again(crossed: Path) -> None:
    html = paged(crossed)
    blocks = html.split('class="block"')[1:]
    said = [block for block in blocks if "<code" in block.split("</section>")[0]]
    reasons = [b for b in blocks if b not in said]
    assert len(said) >= 4 * 8
    assert all("Not known" in block for block in reasons)
    assert "harness report crossed --json" in html and "harness compare crossed --json" in html


def test_the_page_asks_no_network_for_anything(crossed: Path) -> None:
    html = read(paged(crossed))
    assert not [a for _, a in html.found if {"src", "srcset", "data", "action"} & set(a)]
    assert not [name for name, _ in html.found if name in ("link", "iframe", "img", "object")]
    policies = [a["content"] or "" for _, a in html.found if "http-equiv" in a]
    assert policies and "default-src 'none'" in policies[0]


def test_nothing_that_a_run_wrote_becomes_markup(tmp_path: Path) -> None:
    evil = Condition(Part(EVIL), Part("editor"), Part("docker"))
    task = Task(Brief(TaskId(EVIL), "?", Environment("i", "/w")), {}, "g", EVIL, {"repo": EVIL})
    other = Task(Brief(TaskId("\x1b[2J\u202e\ud800"), "?", Environment("i", "/w")), {}, "g", "s")
    run = manifest([task, other], [evil, condition()], repeats=1, left_out={}, experiment={}, by=BY)
    keys = list(run.planned())
    records = [graded(keys[0], True, facts={"model_model": EVIL}), faulted(keys[1], message=EVIL)]
    folder = stored(tmp_path / "evil", run, records).folder
    text = paged(folder)
    html = read(text)
    assert not [name for name, _ in html.found if name == "img"]
    assert len([name for name, _ in html.found if name == "script"]) == 2
    assert not [a for _, a in html.found if "onerror" in a]
    assert not {"\x1b", "\u202e"} & set(text)
    assert EVIL in html.text
    text.encode()


def test_every_attempt_is_behind_its_task(tmp_path: Path) -> None:
    run = declared(["t/0", "t1", "t2"], repeats=2)
    records = [
        graded(attempt("t/0", 0), True, tried=2),
        graded(attempt("t/0", 1), False, usd=None),
        faulted(attempt("t1"), "model", "503: overloaded\nmore"),
    ]
    (tmp_path / "run" / "traces").mkdir(parents=True)
    text = paged(stored(tmp_path / "run", run, records).folder, beside=tmp_path)
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    (column,) = data["conditions"]
    digest = condition().digest
    assert (column["digest"], column["traces"]) == (digest, "run/traces")
    assert f"{data['names'][0]}~{digest}~1" == attempt("t/0", 1).id
    assert data["attempts"][0][0] == [[1, 0, 2, 1.0, 30.0], [0, 1, 1, None, 30.0]]
    assert data["attempts"][0][1] == [[2, 2, 1, 0.5, 10.0], 0]
    assert data["attempts"][0][2] == [0, 0]
    assert data["words"][2] == "fault of the model: 503: overloaded"
    cells = [a["class"] for n, a in read(text).found if n == "td" and a.get("class")]
    assert cells == ["mixed", "faulted owed", "owed"]


def test_a_run_without_a_record_says_what_it_does_not_know(tmp_path: Path) -> None:
    html = read(paged(stored(tmp_path / "run", declared(2), []).folder))
    assert "nothing has been graded" in html.text
    assert "there is no other condition here" in html.text


def test_a_run_without_conditions_still_makes_a_page(tmp_path: Path) -> None:
    empty = stored(tmp_path / "run", Manifest(declared(1).tasks, {}), []).folder
    assert "declares no condition" in read(paged(empty)).text


def test_unpriced_calls_leave_no_picture_of_costs(tmp_path: Path) -> None:
    run = declared(3, "editor", "bash")
    records = [graded(key, True, usd=None) for key in run.planned()]
    html = read(paged(stored(tmp_path / "run", run, records).folder))
    assert "a graded attempt made a call that has no price" in html.text


def test_two_runs_are_compared_on_one_page(tmp_path: Path, crossed: Path) -> None:
    run = study_of([f"t{i}" for i in range(24)], repeats=1)
    other = stored(tmp_path / "other", run, [graded(key, True) for key in run.planned()]).folder
    html = read(paged(crossed, other))
    assert "#5 m + editor, other" in html.text and "#6 m + bash, other" in html.text
    assert "harness compare crossed other" in html.text


def test_a_file_of_somebody_else_is_compared_too(tmp_path: Path, crossed: Path) -> None:
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps({f"t{i}": i % 2 == 0 for i in range(24)}))
    comparing.comparison_page([crossed, theirs], margin=0.02, tasks="", into=tmp_path / "p.html")
    html = read((tmp_path / "p.html").read_text())
    assert "harness report crossed --json" not in html.text, "it is named as it was typed"
    assert f"harness report {crossed} --json" in html.text
    assert f"harness report {theirs}" not in html.text, "it is no run's folder"
    assert "somebody else's: nothing here has checked them" in html.text
    assert "#5 theirs + imported" in html.text


def test_731_tasks_x_10_conditions_stay_under_2_mb(tmp_path: Path) -> None:
    names = [f"instance_organisation__repository-{i:040x}-v{i:040x}" for i in range(731)]
    run = declared(names, *(f"scaffold-{i}" for i in range(10)))
    store = stored(tmp_path / "large", run, [])
    with (store.folder / "ledger.jsonl").open("wb") as stream:
        for i, key in enumerate(run.planned()):
            # Without a price: the bootstraps of 45 pairs' costs would take ten seconds more.
            stream.write(encode(graded(key, i * 31 % 97 < 40, usd=None)) + b"\n")
    size = len(paged(store.folder).encode())
    assert size < 2_000_000, f"some 1.0 MB, not {size}"


def test_report_html_writes_beside_the_ledger_and_compare_html_where_it_is_told(
    crossed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporting.page([crossed])
    comparing.comparison_page([crossed], margin=0.05, tasks="", into=tmp_path / "both.html")
    assert capsys.readouterr().out.splitlines() == [
        str(crossed / "report.html"),
        str(tmp_path / "both.html"),
    ]
    assert "within 2 points" not in read((tmp_path / "both.html").read_text()).text
    assert "smaller than 5 points" in read((tmp_path / "both.html").read_text()).text
    assert "smaller than 2 points" in read((crossed / "report.html").read_text()).text
    with pytest.raises(UsageError, match="no folder"):
        comparing.comparison_page([crossed], margin=0.05, tasks="", into=tmp_path / "no" / "x")


def test_a_quarantine_list_adjusts_the_card_and_is_part_of_its_command(
    crossed: Path, tmp_path: Path
) -> None:
    (tmp_path / "fence.json").write_text('{"t0": "flaky <b>"}')
    reporting.page([crossed], fenced_by=tmp_path / "fence.json")
    html = read((crossed / "report.html").read_text())
    assert "without quarantined tasks, B" in html.text and ": flaky <b>" in html.text
    assert f"--quarantine {tmp_path / 'fence.json'} --json" in html.text


def test_markdown_is_printed(crossed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporting.markdown([crossed])
    comparing.comparison_markdown([crossed], margin=0.02, tasks="")
    assert capsys.readouterr().out.count("Recompute: `harness ") == 2


def test_what_a_comparison_should_be_held_against_is_said(tmp_path: Path) -> None:
    run = declared(3, "editor", "bash")
    records = [graded(key, True) for key in run.planned()][:-1]
    odd = replace(records[0], verdict=replace(records[0].verdict, mode="compat"))
    html = read(paged(stored(tmp_path / "run", run, [odd, *records[1:]]).folder))
    assert "graded in different modes" in html.text
    assert "only one side has measured them: 1." in html.text


def test_the_same_run_makes_the_same_page(crossed: Path) -> None:
    assert paged(crossed) == paged(crossed)


def test_repositories_with_few_tasks_are_drawn_to_the_mean() -> None:
    table = [[1.0]] * 30 + [[0.0]] * 10 + [[1.0]] * 2 + [[0.0]] * 8
    found = by_repo(table, ["big"] * 40 + ["small"] * 10)
    assert [(repo.name, repo.tasks, repo.rate) for repo in found] == [
        ("big", 40, 0.75),
        ("small", 10, pytest.approx(0.2)),
    ]
    overall = 32 / 50
    moved = [abs((repo.shrunken or 0) - repo.rate) / abs(repo.rate - overall) for repo in found]
    assert 0 < moved[0] < moved[1] < 1
    assert by_repo(table, [""] * 50) == () and by_repo(table, ["one"] * 50) == ()


def test_a_task_is_steady_or_not_by_what_was_measured() -> None:
    nan = float("nan")
    found = steadiness([[1, 1], [1, nan], [0, 0], [1, 0], [nan, nan]])
    assert (found.always, found.sometimes, found.never, found.unmeasured) == (2, 1, 1, 1)


def test_ranks_and_intervals_of_the_page_tell_one_story(crossed: Path) -> None:
    compared = compare([crossed])
    found = study(compared, [])
    assert len(found.ranks) == 4 and min(printed_ranks(found)) == 1
    for printed, ranks in zip(printed_ranks(found), found.ranks, strict=True):
        assert ranks.best <= printed <= ranks.worst
    for contrast in found.together.contrasts:
        assert contrast.low <= contrast.value <= contrast.high


def test_an_axis_has_round_ends_and_keeps_what_it_shows() -> None:
    axis = around([0.412, 0.473], 0, 100, (0.0, 1.0))
    assert axis.low <= 0.412 < 0.473 <= axis.high
    assert axis.at(axis.low) == 0 and axis.at(axis.high) == 100 and axis.at(2.0) == 100
    assert 3 <= len(axis.ticks()) <= 9
    assert around([0.5], 0, 100).ticks() and around([0.0, 0.0], 0, 1).ticks()
    assert Axis(0.9, 25, 0, 100, log=True).ticks() == pytest.approx([1, 2, 5, 10, 20])


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    one = Condition(Part("m", {"price_in": 1.0}), Part("bash"), Part("docker"))
    two = Condition(Part("m", {"seed": 1}), Part("bash"), Part("docker"))
    three = Condition(Part("m"), Part("editor"), Part("docker"))
    assert short([one, three]) == ["m + bash", "m + editor"]
    assert short([one, two]) == ["m + bash", "m,seed=1 + bash"]
    assert len(set(short([one, Condition(Part("m"), Part("bash"), Part("docker"))]))) == 2


def test_words_turn_round_with_their_pair_and_zero_has_no_sign() -> None:
    assert mirrored("better") == "worse" and mirrored("undecided") == "undecided"
    assert signed(-0.0001) == "0.0" and signed(0.021) == "+2.1"


def test_strings_are_escaped_and_markup_is_not_twice() -> None:
    assert tag("b", "<i>", tag("u", "&")) == "<b>&lt;i&gt;<u>&amp;</u></b>"
    assert tag("a", href='"x') == '<a href="&quot;x"></a>'


def test_the_markdown_has_scores_faults_and_notes(tmp_path: Path) -> None:
    run = declared(2, repeats=2)
    records = [graded(attempt("t0", 0), True), graded(attempt("t0", 1), False)]
    folder = stored(tmp_path / "run", run, [*records, faulted(attempt("t1"))]).folder
    text = as_markdown(build(folder), "runs/run")
    assert "| `#1` | `m + editor` | 1/2 | 50.0 |" in text
    assert "| sandbox | `no box` | 1 | 0 |" in text
    assert "| `#1` | 2 | 100.0" in text
    assert "`harness report runs/run --markdown`" in text


def test_markdown_makes_nothing_of_hostile_names(tmp_path: Path) -> None:
    name = "`@someone` | <b> #1\n# heading"
    folder = stored(
        tmp_path / "run", declared(1, name), [faulted(attempt("t0", 0, name), message=name)]
    ).folder
    text = as_markdown(build(folder), "run")
    outside = re.sub(r"`[^`]*`", "", text)
    assert "@" not in outside and "<b>" not in outside and "# heading" not in outside
    rows = [line for line in text.splitlines() if line.startswith("| `#1`")]
    assert all(re.sub(r"\\\|", "", row).count("|") == 12 for row in rows)


def test_a_comparison_in_markdown_says_it_in_words(crossed: Path) -> None:
    text = comparison_as_markdown(compare([crossed]), ["runs/crossed"])
    assert "| `#1` - `#2` | 24 |" in text
    assert re.search(r"\*\*(better|worse|undecided|equivalent within 2)\*\*", text)
    assert "harness compare runs/crossed --margin 0.02 --markdown" in text


def test_the_forms_of_a_report_are_flags_of_which_one_is_chosen(crossed: Path) -> None:
    done = harness("report", crossed.name, "--html", cwd=crossed.parent)
    assert (done.returncode, done.stdout) == (0, f"{crossed.name}/report.html\n")
    for verb in ("report", "compare"):
        more = ["--html"] if verb == "report" else ["--html", "x.html"]
        refused = harness(verb, crossed.name, *more, "--json", cwd=crossed.parent)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1
        assert "choose one" in refused.stderr
