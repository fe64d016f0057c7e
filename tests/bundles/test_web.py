"""The app for the web in a real browser: proven, offline, alone, and readable for everybody."""

from __future__ import annotations

import base64
import json

import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.checking import verify
from edgekit.bundles.making import make_bundle
from edgekit.errors import UsageError
from tests.bundles.apps import UNPINNED, changed_list, flipped, result_of, wait_for
from tests.pages import violations

pytestmark = pytest.mark.browser

SMALL = {"width": 360, "height": 640}
LARGE = {"width": 430, "height": 932}


@pytest.mark.parametrize("label", ["tflite-int8", "onnx-int8"])
def test_every_golden_case_holds_in_both_runtimes(opened, app, label):
    found = result_of(opened(f"?check&artifact={label}"))
    cases = json.loads((app / "golden" / "cases.json").read_text())
    assert found["mismatches"] == []
    assert found["artifact"] == label
    assert found["pictures"] == len(cases["pictures"]) + len(cases["cases"]) == 18
    assert found["outputs"] == found["answers"] == len(cases["cases"])
    assert found["furthest"] <= 0.05


def test_the_check_can_fail(opened, app, serving):
    cases = json.loads((app / "golden" / "cases.json").read_text())
    for at, case in enumerate(cases["pictures"]):
        case["input"] = cases["pictures"][at - 1]["input"]
    cases["cases"][3]["answers"]["tflite-int8"]["classes"].reverse()
    cases["cases"][3]["outputs"] = cases["cases"][9]["outputs"]
    changed = {"golden/cases.json": json.dumps(cases).encode(), **UNPINNED}
    with serving(app, changed_list(app, changed)) as other:
        found = result_of(opened("?check", address=other.address))
    told = "\n".join(found["mismatches"])
    assert "golden/pictures/portrait.png: " in told
    assert "case 3: logits is " in told
    assert "case 3: another answer" in told


@pytest.mark.parametrize(("size", "scheme"), [(SMALL, "light"), (LARGE, "dark")])
def test_an_example_is_classified_on_a_phone(opened, app, size, scheme):
    page = opened(size=size, scheme=scheme)
    page.get_by_role("button", name="Example").click()
    wait_for(page, "#results li")
    cases = json.loads((app / "golden" / "cases.json").read_text())["cases"]
    labels = (app / "labels.txt").read_text().splitlines()
    wanted = cases[-1]["answers"]["tflite-int8"]
    assert page.locator("#results .name").all_inner_texts() == [
        labels[index] for index in wanted["classes"]
    ]
    best = f"{labels[wanted['classes'][0]]}, {100 * wanted['scores'][0]:.1f} %."
    assert page.get_by_role("status").first.inner_text() == best
    assert page.locator("#latency").inner_text().startswith("this call ")
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    targets = page.locator("button:visible, label.button:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(targets) >= 44
    assert len(page.screenshot()) > 10_000


def test_a_file_of_one_s_own_is_classified_and_a_text_file_is_told_off(opened, app):
    page = opened()
    picture = (app / "golden" / "pictures" / "portrait.png").read_bytes()
    page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": picture})
    wait_for(page, "#results li")
    canvas = page.evaluate("[canvas.width, canvas.height]")
    assert canvas[1] / canvas[0] == pytest.approx(251 / 123, rel=0.01)
    page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": b"text"})
    page.get_by_role("alert").wait_for()
    assert "no picture that this browser reads" in page.get_by_role("alert").inner_text()


def test_the_camera_is_looked_at_until_it_is_stopped(opened):
    page = opened()
    page.get_by_role("button", name="Camera").click()
    wait_for(page, "#results li")
    stop = page.get_by_role("button", name="Stop camera")
    assert stop.get_attribute("aria-pressed") == "true"
    stop.click()
    page.get_by_text("Camera stopped.").wait_for()
    assert page.evaluate("video.srcObject") is None


@pytest.mark.parametrize("name", ["artifacts/tflite-int8/model.tflite", "contract.json"])
def test_a_changed_file_is_refused(opened, app, name, serving):
    changed = {name: flipped((app / name).read_bytes(), 100)}
    with serving(app, changed) as other:
        page = opened("?check", address=other.address, ready=False)
        wait_for(page, "html[data-trouble]")
        told = page.get_by_role("alert").inner_text()
    assert told == f"{name} was changed: its sha256 differs from the bundle's"
    assert page.locator("#file").is_disabled()
    assert page.locator("html[data-ready]").count() == 0


OPEN = """
try {
  const bundle = await it.Bundle.open(given.address, { key: given.key });
  await bundle.verify(["contract.json"]);
  return "taken";
} catch (error) {
  return `${error.constructor.name}: ${error.message}`;
}
"""


def test_a_signature_is_checked_in_the_browser(browser, app, keys, served, serving):
    page = browser.new_page()
    page.goto(served + "contract.json")  # any document of that origin
    mine, theirs = ((keys / f"{name}.pub").read_text() for name in ("mine", "theirs"))

    def ask(key, address=None):
        given = {"key": key, "address": address or page.evaluate("location.origin + '/'")}
        return page.evaluate(
            f"async (given) => {{ const it = await import('/app/verify.js'); {OPEN} }}", given
        )

    assert ask(mine) == ask(None) == "taken"
    assert "the signature is not by this key" in ask(theirs)
    # A list that was made to fit, another signature, and one whose files are not named.
    contract = flipped((app / "contract.json").read_bytes(), 50)
    forged = changed_list(app, {"contract.json": contract})
    bundle = json.loads((app / "bundle.sig").read_text())
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = base64.b64encode(
        flipped(base64.b64decode(envelope["payload"]), 400)
    ).decode()
    for changed in (forged, {"bundle.sig": json.dumps(bundle).encode()}, {"bundle.sig": b"{}"}):
        with serving(app, changed) as other:
            page.goto(other.address + "contract.json")
            assert ask(mine, other.address).startswith("RefusedError: the signature is not by")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "http://example.org/x", "a/../b"])
def test_a_path_that_leaves_the_bundle_is_refused(app, modules, served, path):
    listed = json.loads((app / "bundle.json").read_text())
    listed["files"][path] = {"sha256": "0" * 64, "bytes": 1}
    body = """
    const own = globalThis.fetch;
    globalThis.fetch = async () => new Response(given.text);
    try { await it.Bundle.open(given.address); return "taken"; }
    catch (error) { return error.message; }
    finally { globalThis.fetch = own; }
    """
    told = modules("verify", body, {"text": json.dumps(listed), "address": served})
    assert "is no path inside a bundle" in told


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(opened, scheme):
    page = opened("?check", size=SMALL, scheme=scheme)
    result_of(page)
    page.get_by_role("button", name="Example").click()
    wait_for(page, "#results li")
    assert violations(page, least=15) == []


def test_the_keyboard_reaches_every_control(opened):
    page = opened()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:5] == ["A", "file", "camera", "example", "SUMMARY"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") is not None


def test_only_the_runtime_that_is_needed_goes_in(app, artifacts, web_order, tmp_path):
    make_bundle(artifacts[:1], web_order, tmp_path / "one")
    names = verify(tmp_path / "one").contents.files
    assert not [name for name in names if "onnxruntime" in name or "jspi" in name]
    both = verify(app).contents.files
    assert {name for name in both if name.endswith(".wasm")} > {
        name for name in names if name.endswith(".wasm")
    }
    # The worker asks its service worker for a release that changes with any file.
    releases = {(place / "release.js").read_text() for place in (app, tmp_path / "one")}
    assert len(releases) == 2


def test_what_no_browser_takes_is_refused(checkout, web_order, tmp_path):
    known = Artifact.open(checkout / "devices" / "known" / "tflite-int8-int8")
    with pytest.raises(UsageError, match=r"LiteRT\.js takes no int8"):
        make_bundle([known], web_order, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- a key in the app itself -----------------------------------------------------------------------


def test_an_app_knows_the_key_that_signed_it(app, keys, artifacts, web_order, tmp_path):
    pinned = json.loads((app / "app" / "key.js").read_text().partition("self.KEY = ")[2][:-2])
    assert pinned == (keys / "mine.pub").read_text()
    make_bundle(artifacts[:1], web_order, tmp_path / "unsigned")
    assert "self.KEY = null;" in (tmp_path / "unsigned" / "app" / "key.js").read_text()


def test_an_app_refuses_a_list_that_its_key_did_not_sign(opened, app, serving):
    labels = b"other\nlabels\n"
    with serving(app, changed_list(app, {"labels.txt": labels})) as other:
        page = opened("?check", address=other.address, ready=False)
        wait_for(page, "html[data-trouble]")
        told = page.get_by_role("alert").inner_text()
    assert told.startswith("the signature is not by this key, or the bundle was changed: ")
    assert page.locator("html[data-ready]").count() == 0


# -- choice ----------------------------------------------------------------------------------------


def facts_of(page):
    terms, told = (page.locator(f"#facts {name}").all_text_contents() for name in ("dt", "dd"))
    return dict(zip(terms, told, strict=True))


def choosing(app, table, **changed):
    """Files of an unpinned bundle with a table of choices, and others that are changed."""
    files = changed_list(app, {**changed, **UNPINNED})
    listed = json.loads(files["bundle.json"])
    listed["choice"] = table
    return {**files, "bundle.json": json.dumps(listed).encode()}


def test_the_class_of_a_device_is_told_by_the_browser_or_by_the_address(opened, app, serving):
    table = {"phone": "onnx-int8", "laptop": "tflite-int8"}
    with serving(app, choosing(app, table)) as other:
        page = opened(address=other.address)  # a mobile user agent
        assert facts_of(page)["Artifact"].startswith("onnx-int8, ")
        assert facts_of(page)["Artifact"].endswith(": the bundle names it for phone")
        page = opened("?device=laptop", address=other.address)
        assert facts_of(page)["Artifact"].endswith(": the bundle names it for laptop")
        page = opened("?device=toaster", address=other.address)
        assert facts_of(page)["Artifact"].startswith("tflite-int8, ")
        assert facts_of(page)["Artifact"].endswith(": the first of the bundle")


def test_classes_of_a_device_are_those_of_its_browser(modules):
    mobile = {"mobile": True, "brands": [{"brand": "Chromium"}]}
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari"
    body = """
    Object.defineProperty(navigator, "userAgentData", { value: given.data, configurable: true });
    Object.defineProperty(navigator, "userAgent", { value: given.agent, configurable: true });
    try { return it.classesOf(null); }
    finally { delete navigator.userAgentData; delete navigator.userAgent; }
    """
    for data, agent, wanted in (
        (mobile, "", ["phone", "chromium"]),
        ({**mobile, "mobile": False}, "", ["desktop", "chromium"]),
        (None, firefox, ["desktop", "firefox"]),
        (None, safari, ["phone", "safari"]),
    ):
        assert modules("device", body, {"data": data, "agent": agent}) == wanted


def test_what_cannot_be_loaded_is_passed_over_for_the_next_and_said(opened, app, serving):
    broken = {"artifacts/tflite-int8/model.tflite": b"no model"}
    with serving(app, choosing(app, {}, **broken)) as other:
        page = opened("?check", address=other.address)
        assert result_of(page)["artifact"] == "onnx-int8"
        assert result_of(page)["mismatches"] == []
        told = facts_of(page)
        assert told["Artifact"].endswith(": the first that could be loaded")
        assert told["Passed over"].startswith("tflite-int8: litert-js: ")
        # One that was named is taken, or nothing is.
        page = opened("?artifact=tflite-int8", address=other.address, ready=False)
        page.get_by_role("alert").filter(has_text="tflite-int8 cannot be loaded: ").wait_for()


def test_threads_compute_where_headers_isolate_the_page(opened, app, serving):
    with serving(app, headers=ISOLATED) as other:
        page = opened("?check&artifact=onnx-int8", address=other.address)
        assert page.evaluate("crossOriginIsolated")
        assert result_of(page)["mismatches"] == []
        assert facts_of(page)["Computes"] == "onnxruntime-web, 2 threads of WebAssembly"


ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
