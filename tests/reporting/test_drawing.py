from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from edgekit.reporting.building import Sourced, facts_of
from edgekit.reporting.charts import labels
from edgekit.reporting.drawing import COLOURS, draw
from edgekit.reporting.sections.drawn import run_charts


def charts_of(run):
    (one,) = facts_of([], [Sourced(run)]).runs
    return [chart for found in run_charts("run0", one).values() for chart in found]


def test_no_chart_has_a_style_a_script_or_a_font_of_its_own(complete):
    charts = charts_of(complete)
    assert {chart.key.split("-")[1] for chart in charts} == {
        "plane0", "plane1", "distributions", "marks", "bars0",
    }  # fmt: skip
    for chart in charts:
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(chart.svg).iter()}
        assert tags <= {"svg", "g", "path", "use", "defs", "clipPath", "rect", "text", "title"}
        assert not re.search(r"style=|font-family|DejaVu|xlink", chart.svg)


def test_every_colour_is_the_pages(complete):
    for chart in charts_of(complete):
        for declarations in chart.rules.values():
            assert "#" not in declarations
        assert not any(colour in chart.svg for colour in COLOURS.values())


def test_a_name_is_text_in_a_chart_and_a_dollar_is_a_dollar(complete, make):
    charts = charts_of(complete)
    texts = [
        element.text
        for chart in charts
        for element in ET.fromstring(chart.svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert any(text and text.startswith("<script>alert(1)<") for text in texts)
    assert "名前 $x$ _a_ | b" in texts
    assert "<script" not in "".join(chart.svg for chart in charts)


def test_ids_are_unique_on_a_page_and_every_reference_leads_to_one(complete):
    text = "".join(chart.svg for chart in charts_of(complete))
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) <= set(ids)


def test_equal_runs_give_equal_charts(make):
    def drawn():
        named = [(make.contender("tflite-int8"), 0.3), (make.contender("onnx-fp32"), 0.5)]
        return [(chart.svg, chart.rules) for chart in charts_of(make.run(named))]

    assert drawn() == drawn()


def test_a_chart_says_its_figures_in_words_and_under_the_pointer(usual):
    plane = charts_of(usual)[0]
    assert "openvino-int4: top1 90.00 % [89.50, 90.50] on 2,000 samples" in plane.words
    assert "dominated by tflite-int8" in plane.words
    titles = [
        element.text
        for element in ET.fromstring(plane.svg).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert len(titles) == 3
    assert all(title in plane.words for title in titles)


def test_the_users_own_settings_of_matplotlib_change_nothing():
    import matplotlib as mpl

    def one():
        return draw(
            "k", (200, 100), lambda c: c.figure.subplots().plot([1, 2]), words="w", caption="c"
        )

    before = one()
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30}):
        assert one() == before
        assert mpl.rcParams["font.size"] == 30


@given(
    st.lists(
        st.tuples(st.floats(0, 800), st.floats(0, 400), st.floats(20, 150)), min_size=1, max_size=8
    )
)
def test_names_stay_inside_of_the_frame_of_a_chart(found):
    frame = labels.Box(0, 0, 800, 400)
    boxes = labels.place(
        [(x, y) for x, y, _ in found], [(width, 16) for *_, width in found], [], frame
    )
    for box in boxes:
        assert box.overlap(frame) >= 0.999 * box.area


def test_names_of_two_points_in_one_place_do_not_cover_each_other():
    frame = labels.Box(0, 0, 800, 400)
    first, second = labels.place([(400, 200)] * 2, [(90, 16)] * 2, [], frame)
    assert first.overlap(second) == 0
