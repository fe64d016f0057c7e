"""The page in a real browser without a network."""

from __future__ import annotations

import shutil

import pytest

from edgekit.reporting.building import Sourced, facts_of
from edgekit.reporting.html import to_html
from edgekit.reporting.sections import page_of
from tests.pages import violations

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_file(complete, usual, tmp_path_factory):
    sustained = type(usual)(**{**{n: getattr(usual, n) for n in usual.__slots__},
                               "command": "sustained", "key": "1" * 64})  # fmt: skip
    found = facts_of([], [Sourced(complete, 1), Sourced(sustained, 2)])
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(page_of(found, "1.2.3", charts=True)), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, page_file):
    """Opens the page; afterwards it must have asked for nothing and complained of nothing."""
    contexts, asked, said = [], [], []

    def at(size, scheme="light", *, unfolded=True):
        context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append((message.type, message.text)))
        page.on("pageerror", lambda error: said.append(("error", str(error))))
        page.on("dialog", lambda dialog: said.append(("dialog", dialog.message)))
        page.goto(page_file.as_uri())
        if unfolded:
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        return page

    yield at
    for context in contexts:
        context.close()
    assert set(asked) == {page_file.as_uri()}
    assert said == []


def test_a_script_in_a_name_is_shown_and_not_run(opened, make):
    page = opened(DESK)
    assert page.locator("h1").inner_text().startswith(make.evil)
    assert page.locator("svg text", has_text="<script>alert").count() > 0
    assert page.locator("script").count() == 0


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}, DESK])
def test_the_page_is_never_wider_than_the_screen(opened, size):
    page = opened(size)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    wide = page.locator(".scroll").evaluate_all(
        "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
    )
    assert wide > 0 or size == DESK
    names = page.locator("tbody th").evaluate_all(
        "heads => heads.every(head => head.scrollWidth <= head.clientWidth + 1)"
    )
    assert names


def test_dark_and_light_are_two_looks_of_the_page_and_of_the_charts(opened):
    def colours(page):
        return page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('svg text')).fill]"
        )

    light, dark = colours(opened(DESK)), colours(opened(DESK, "dark"))
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_a_small_screen_has_charts_of_its_own_and_their_text_can_be_read(opened):
    for size in (PHONE, DESK):
        page = opened(size)
        charts = page.locator("svg:visible")
        assert 0 < charts.count() < page.locator("svg").count()
        sizes = charts.evaluate_all(
            "all => all.flatMap(svg => [...svg.querySelectorAll('text')].map(text =>"
            " parseFloat(getComputedStyle(text).fontSize)"
            " * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"
        )
        assert 9.5 <= min(sizes) <= max(sizes) <= 16


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_axe_finds_nothing_to_complain_of(opened, size, scheme):
    page = opened(size, scheme)
    assert violations(page, least=20) == []


def test_the_keyboard_reaches_the_skip_link_first_and_tables_can_be_scrolled(opened):
    page = opened(PHONE, unfolded=False)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    box = page.locator(".scroll").first
    box.focus()
    assert box.evaluate("box => getComputedStyle(box).outlineStyle") == "solid"
