"""The three formats, from the same facts."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from edgekit.files import canonical_json
from edgekit.reporting.building import Sourced, facts_of
from edgekit.reporting.document import to_document
from edgekit.reporting.html import to_html
from edgekit.reporting.markdown import escaped, to_markdown
from edgekit.reporting.page import table
from edgekit.reporting.sections import page_of

VOID = {"meta", "link", "br", "hr", "img"}


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def of(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


def facts(*runs):
    return facts_of([], [Sourced(run, number) for number, run in enumerate(runs, 1)])


def html(*runs):
    return to_html(page_of(facts(*runs), "1.2.3", charts=True))


@pytest.fixture
def evil(complete):
    return html(complete)


def test_nothing_on_the_page_can_run_or_load_anything(evil):
    page = Reader(evil)
    assert not page.of("script", "iframe", "object", "embed", "form", "base")
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
    assert not re.search(r"@import|url\((?!#)", evil)


def test_the_policy_allows_the_pages_own_style_sheet_and_nothing_else(evil):
    page = Reader(evil)
    (policy,) = [found["content"] for found in page.of("meta") if "http-equiv" in found]
    (style,) = [text for tag, text in page.texts if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_a_script_in_a_name_is_text_wherever_the_name_stands(evil, make):
    assert make.evil not in evil
    shown = {tag for tag, text in Reader(evil).texts if make.evil in text}
    assert {"title", "h1", "th", "td", "figcaption", "p", "dd"} <= shown


def test_headings_descend_one_by_one_and_links_lead_to_them(evil):
    page = Reader(evil)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.of("a")} <= set(ids)
    assert {box["aria-labelledby"] for box in page.of("div") if "role" in box} <= set(ids)


def test_every_table_has_a_caption_and_heads_and_every_chart_has_words(evil):
    page = Reader(evil)
    assert len(page.of("caption")) == len(page.of("table")) > 5
    assert {found["scope"] for found in page.of("th")} == {"row", "col"}
    pictures = page.of("svg")
    assert pictures
    assert all(found["role"] == "img" and len(found["aria-label"]) > 40 for found in pictures)


def test_equal_runs_give_equal_bytes(make):
    def written():
        named = [(make.contender("tflite-int8"), 0.3), (make.contender("onnx-fp32"), 0.5)]
        return html(make.run(named))

    assert written() == written()


def test_what_is_not_known_is_called_unavailable_and_never_zero(make):
    named = [(make.contender("tflite-int8", top1=None, parity={}, cost={}), 0.3)]
    run = make.run(named, environment={"cpu_governor": None, "cpu_model": None})
    text = to_markdown(page_of(facts(run), "1.2.3", charts=False))
    assert "| cpu\\_governor | unavailable |" in text
    assert "| tflite-int8 | unavailable no labelled data |" in text
    assert "| tflite-int8 0.67 MB" not in text
    document = to_document(facts(run), "1.2.3")
    assert document["artifacts"][0]["metric"] is None
    assert document["runs"][0]["environment"]["cpu_governor"] is None


def test_an_unfinished_run_and_a_range_are_called_what_they_are(make):
    run = make.run([(make.contender(), 0.3)], rounds=4)
    found = facts_of([], [Sourced(run, 1, finished=False)])
    text = to_markdown(page_of(found, "1", charts=False))
    assert "The run was not finished: this is what was measured until then." in text
    assert "or the range of fewer than 6 processes" in text
    assert not to_document(found, "1")["runs"][0]["finished"]
    whole = facts_of([], [Sourced(make.run([(make.contender(), 0.3)], rounds=6), 1)])
    text = to_markdown(page_of(whole, "1", charts=False))
    assert "not finished" not in text
    assert "or the range" not in text


def test_a_run_without_a_finished_round_is_shown_without_figures(make):
    run = make.run([(make.contender(), 0.3)], rounds=0)
    text = html(run)
    assert "No round was finished." in text
    assert to_document(facts(run), "1")["runs"][0]["contenders"][0]["latency_ms"] == {
        "cpu": None, "wall": None, "call": None,
    }  # fmt: skip


def test_a_range_of_too_few_processes_is_called_one(make):
    text = to_markdown(
        page_of(facts(make.run([(make.contender(), 0.3)], rounds=3)), "1", charts=False)
    )
    assert "range \\[" in text
    assert "needs six processes" in text


def test_no_figure_of_latency_is_without_interval_count_and_digest(usual):
    text = to_markdown(page_of(facts(usual), "1", charts=False))
    for row in usual.contenders:
        label = row.name.removeprefix("mobilenet ")
        lines = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
        assert len(lines) >= 7
        assert all(row.sha256[:12] in line for line in lines)
    latencies = text[text.index("### Latency") : text.index("### Phases")]
    first = next(line for line in latencies.splitlines() if line.startswith("| tflite-int8"))
    assert re.search(r"\| 0\.\d+ \\\[0\.\d+, 0\.\d+\\\] \|", first)
    assert "| 10 | 800 |" in first


def test_a_sustained_run_shows_where_it_began_and_where_it_ended(make):
    named = [(make.contender("tflite-int8"), lambda round_: 0.3 * (1 + round_ / 10))]
    run = make.run(named, command="sustained", rounds=24, noise=0.0)
    page = page_of(facts(run), "1", charts=True)
    (found,) = [section for section in page.sections if section.key.endswith("-sustained")]
    assert [chart.screens for chart in found.charts] == ["wide", "narrow"]
    (row,) = found.tables[0].rows
    assert (row[1].text, row[2].text) == ("0.315", "1.04")
    assert float(row[3].text) == pytest.approx(3.3, rel=0.01)
    assert row[5].text == "unavailable"


def test_periods_of_one_process_give_no_interval_over_processes(make):
    named = [(make.contender("tflite-int8"), 0.3), (make.contender("onnx-int8", top1=50.0), 0.9)]
    found = facts(make.run(named, command="sustained", rounds=24))
    assert [row.standing for row in found.runs[0].rows] == [None, None]
    text = to_markdown(page_of(found, "1", charts=False))
    assert "### Latency" not in text
    assert "No latency" in text
    (run,) = to_document(found, "1")["runs"]
    assert run["contenders"][0]["processes"] == 1
    assert run["contenders"][0]["latency_ms"]["wall"] is None
    assert run["drifts"]["mobilenet tflite-int8"]["rank"] == [1, 1]


def test_a_sustained_run_that_was_ended_early_has_no_drift(make):
    one = make.contender()
    for rounds in (0, 1):
        run = make.run([(one, 0.3)], command="sustained", rounds=rounds)
        assert to_document(facts(run), "1")["runs"][0]["drifts"] == {}
        assert "finished." in html(run)
    single = make.measurement(0.3, calls=1, blocks=(1,))
    turns = [replace(turn, measurement=single) for turn in make.run([(one, 0.3)], rounds=2).turns]
    run = make.run([(one, 0.3)], command="sustained", turns=tuple(turns))
    (drift,) = to_document(facts(run), "1")["runs"][0]["drifts"].values()
    assert drift["ci95"] is None
    assert canonical_json(to_document(facts(run), "1"))
    assert "svg" in html(run)


def test_a_comparison_is_of_the_second_against_the_first(make):
    named = [(make.contender("onnx-fp32"), 0.5), (make.contender("tflite-int8"), 0.25)]
    run = make.run(named, command="compare", noise=0.001)
    text = to_markdown(page_of(facts(run), "1", charts=False))
    assert re.search(r"\| tflite-int8 \| 0\.5\d* \\\[0\.\d+, 0\.\d+\\\] \| faster \|", text)


def test_passes_are_shown_and_a_pass_that_could_not_be_had_says_why(complete, make):
    text = to_markdown(page_of(facts(complete), "1", charts=False))
    assert "### Operators" in text
    assert "### Memory by step" in text
    assert "| 30.0 | unavailable | 30.0 | 30.0 | 30.0 |" in text
    assert "### Preprocessing, inference, postprocessing" in text
    assert f"{escaped(make.evil)}\\." in text.replace(".", "\\.")


def test_markdown_of_a_name_is_text(evil, complete):
    text = to_markdown(page_of(facts(complete), "1", charts=False))
    assert not re.search(r"(?<!\\)<(?!/?(?:details|summary)\b)", text)
    assert "名前 \\$x\\$ \\_a\\_ \\| b" in text
    widths = [
        len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")
    ]
    heads = [width for line, width in zip(_tables(text), widths, strict=True) if line]
    assert heads == widths


def _tables(text):
    return [line for line in text.splitlines() if line.startswith("|")]


def test_json_holds_the_figures_but_no_raw_sample(usual):
    document = json.loads(canonical_json(to_document(facts(usual), "1.2.3")))
    (run,) = document["runs"]
    first, second, third = run["contenders"]
    assert first["latency_ms"]["cpu"]["processes"] == 10
    assert third["standing"] == {
        "judged": True, "dominated_by": "mobilenet tflite-int8", "outpaced_by": None,
    }  # fmt: skip
    low, high = second["against"]["mobilenet tflite-int8"]["ci95"]
    assert low <= 0.5 / 0.3 <= high
    assert len(canonical_json(document)) < 20_000
    assert "samples_ns" not in str(document)


def test_a_table_refuses_a_row_of_another_width():
    with pytest.raises(ValueError, match="a row of 2 cells"):
        table("k", "caption", ("one",), [("a", "b")])


def test_the_quickest_of_all_leads_the_page_not_the_quicker_of_the_newest_two(usual, make):
    slow = [(make.contender("onnx-fp32"), 0.5), (make.contender("openvino-int4"), 0.9)]
    newest = make.run(slow, command="compare", started="2026-12-24T00:00:00Z", key="1" * 64)
    for runs in ((newest, usual), (usual, newest)):
        text = to_markdown(page_of(facts(*runs), "1", charts=False))
        headline = text[text.index("Lowest latency") :][:200]
        assert "tflite-int8" in headline
        assert "Profile of 2026-11-21 23:17 UTC on local-cpu" in headline
