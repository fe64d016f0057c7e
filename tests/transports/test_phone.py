"""A phone as a device, played by Chromium with a phone's viewport and touch."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import read_device_toml
from edgekit.errors import DeviceError, EdgekitError
from edgekit.evaluating import judge, terms_for
from edgekit.job import Job
from edgekit.measuring.contenders import Asked, gather
from edgekit.progress import noticed_by
from edgekit.transports.connect import Device
from edgekit.transports.local import LocalTransport
from edgekit.transports.phone import PhoneTransport, own_address
from tests.pages import HIDE, WATCH, until, violations

pytestmark = pytest.mark.browser

PROFILE = Path(__file__).parents[2] / "devices" / "phone.toml"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def browser(chromium):
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


class Phone:
    """A transport that works in a thread of its own, and browsers that open its link."""

    def __init__(self, browser, **options):
        self.transport = PhoneTransport(**{"wait_s": 30.0, "away_s": 20.0, **options})
        self.browser = browser
        self.notices, self.said, self.asked = [], [], []
        self._told = threading.Event()
        self._contexts = []

    def begin(self, work):
        """Start `work(transport)`; returns a function that waits for what it gave."""
        found = []

        def run():
            try:
                found.append(work(self.transport))
            except EdgekitError as error:
                found.append(error)

        def hear(text):
            self.notices.append(text)
            self._told.set()

        listening = noticed_by(hear)
        listening.__enter__()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def finish(page=None):
            while thread.is_alive():
                if page:
                    page.wait_for_timeout(50)  # Playwright's events come only while it is asked
                thread.join(0.05)
            listening.__exit__(None, None, None)
            if isinstance(found[0], EdgekitError):
                raise found[0]
            return found[0]

        assert self._told.wait(30)
        return finish

    @property
    def url(self):
        return re.search(r"open (https?://\S+)", self.notices[0])[1]

    def open(self, scheme="light", **device):
        context = self.browser.new_context(color_scheme=scheme, **(device or PHONE))
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append((message.type, message.text)))
        page.on("pageerror", lambda error: self.said.append(("error", str(error))))
        page.goto(self.url)
        return page

    def close(self):
        for context in self._contexts:
            context.close()
        self.transport.close()


@pytest.fixture
def phone(browser):
    made = []

    def make(**options):
        made.append(Phone(browser, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_phone_computes_what_this_machine_computes(phone, job_for):
    one = phone()
    job = job_for("int8-inside.tflite")
    finish = one.begin(lambda transport: transport.run(job))
    page = one.open()
    result = finish(page)
    local = job_for("int8-inside.tflite", runtime="litert")
    LocalTransport().run(local)
    np.testing.assert_array_equal(np.load(job.outputs), np.load(local.outputs))
    # Over http from the network, a browser keeps these back, and the environment says so.
    isolated = own_address() == "127.0.0.1"
    assert result.environment["cross_origin_isolated"] is isolated
    assert result.environment["secure_context"] is isolated
    assert result.environment["clock_resolution_ns"] >= (1_000 if isolated else 50_000)
    assert "cpu_model" not in result.environment  # this machine's is not the phone's
    assert page.locator("#samples").inner_text() == "11"
    one.transport.close()
    until(page, lambda: page.locator("#state").get_attribute("data-kind") == "done")
    page.wait_for_timeout(800)  # whatever else runs there must not say otherwise
    assert page.locator("#state").inner_text() == "edgekit is done with this page"


def test_accuracy_grows_on_the_page_while_samples_are_judged(phone, make_artifact, dataset):
    one = phone()
    artifact = make_artifact("tflite")

    def work(transport):
        device = Device(read_device_toml(PROFILE), transport, {})
        terms = terms_for([artifact], device, dataset=dataset, margin=1.0)
        ((contender, _),) = gather([Asked(artifact.path)], device.profile)
        return judge(contender, artifact, terms).evaluation

    finish = one.begin(work)
    page = one.open()
    found = finish(page)
    assert found.metric.samples == 40
    assert page.locator("#score-name").inner_text() == found.metric.name
    assert page.locator("#score").inner_text() == f"{found.metric.value:.1f}"
    assert one.transport.score is None


def test_samples_come_in_batches_and_the_page_counts_them_all(
    phone, make_artifact, dataset, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    artifact = make_artifact()
    one, seen, jobs = phone(), [], []

    def work(transport):
        device = Device(read_device_toml(PROFILE), transport, {})
        terms = replace(terms_for([artifact], device, dataset=dataset, margin=1.0), keep=True)
        ((contender, _),) = gather([Asked(artifact.path)], device.profile)
        carry = transport._run
        transport._run = lambda job, limit: jobs.append(transport.part) or carry(job, limit)
        return [judge(contender, artifact, terms, report=seen.append).evaluation for _ in "12"]

    finish = one.begin(work)
    page = one.open()
    first, second = finish(page)
    assert {part.total for part in jobs} == {40}
    starts = [part.before for part in jobs]
    assert (starts[:2], starts[-1]) == ([0, 4], 0)  # the last one is a proof
    assert (first.resumed.samples, second.resumed.samples) == (0, 40)
    assert second.metric == first.metric
    assert page.locator("#progress").get_attribute("max") == "40"
    assert page.locator("#samples").inner_text() == str(40 + second.resumed.proven)
    assert page.locator("#score").inner_text() == f"{first.metric.value:.1f}"
    done = [step.done for step in seen if step.task.startswith("running")]
    assert done[: len(jobs)] == [*starts[:-1], 40]


def test_the_page_stays_within_its_origin_and_complains_of_nothing(phone, job_for):
    one = phone()

    def work(transport):
        transport.run(job_for("float.onnx"))
        with transport.session(job_for("float.tflite", action="measure")) as session:
            for _ in range(3):
                session.block(0.01, 2)
            return session.measurement()

    finish = one.begin(work)
    page = one.open()
    measurement = finish(page)
    assert measurement.environment["calls_per_sample"] > 1
    origin = one.url.partition("/")[0] + "//" + one.url.split("/")[2] + "/"
    assert all(url.startswith((origin, "data:")) for url in one.asked)
    assert [said for said in one.said if said[0] == "error"] == []
    assert page.locator("#plot polyline").count() == 1
    assert "median" in page.locator("#plot-words").inner_text()


def test_a_second_browser_is_refused_and_the_first_goes_on(phone, job_for):
    one = phone()
    finish = one.begin(lambda transport: transport.run(Job(action="probe")))
    first = one.open()
    finish(first)
    second = one.open()
    until(second, lambda: second.locator("#state").get_attribute("data-kind") == "done")
    assert second.locator("#state").inner_text() == "another browser has this link"
    assert one.transport.run(Job(action="probe")).environment["browser"]


def test_without_the_token_nothing_comes(phone):
    one = phone()
    finish = one.begin(lambda transport: transport.run(Job(action="probe")))
    finish(one.open())
    for path in ("", "page.js", "wrong-token/", "wrong-token/page.js"):
        url = "/".join(one.url.split("/")[:3]) + "/" + path
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, timeout=10)
        assert caught.value.code == 403
        caught.value.close()


def test_a_phone_that_loses_its_connection_goes_on_where_it_was(phone, job_for):
    one = phone()
    page = None

    def work(transport):
        with transport.session(job_for("busy.tflite", action="measure")) as session:
            made = session.block(0.01, 2)
            gone.set()
            assert back.wait(30)
            made += session.block(0.01, 2)
            return made, session.measurement()

    gone, back = threading.Event(), threading.Event()
    finish = one.begin(work)
    page = one.open()
    while not gone.is_set():
        page.wait_for_timeout(20)
    page.context.set_offline(True)
    page.wait_for_timeout(400)
    page.context.set_offline(False)
    back.set()
    made, measurement = finish(page)
    assert sum(measurement.blocks) == made
    assert len(measurement.blocks) == 2


def test_a_block_during_which_the_page_was_hidden_is_timed_again(phone, job_for):
    one = phone()
    loaded, watched = threading.Event(), threading.Event()

    def work(transport):
        with transport.session(job_for("float.tflite", action="measure")) as session:
            loaded.set()
            assert watched.wait(30)
            session.block(0.5, 2)
            return session.measurement()

    finish = one.begin(work)
    page = one.open()
    until(page, loaded.is_set)
    page.evaluate(WATCH)
    watched.set()
    until(page, lambda: page.evaluate("window.lastStep") == "block")
    page.evaluate(HIDE, True)
    until(page, lambda: page.locator("#state").inner_text() == "waiting to be seen")
    page.evaluate(HIDE, False)
    measurement = finish(page)
    assert measurement.environment["blocks_redone"] == 1
    assert len(measurement.blocks) == 1


def test_a_page_that_is_loaded_anew_goes_on_with_its_samples(phone, tiny_models, tmp_path):
    one = phone()
    many = np.random.default_rng(1).random((400, 8, 8, 3)).astype(np.float32)
    np.save(tmp_path / "many.npy", many)
    job = Job(
        action="run",
        runtime="litert-js",
        model=str(tiny_models / "float.tflite"),
        inputs=str(tmp_path / "many.npy"),
        outputs=str(tmp_path / "out.npy"),
    )
    finish = one.begin(lambda transport: transport.run(job))
    page = one.open()
    until(page, lambda: int(page.locator("#samples").inner_text()) >= 64)
    page.reload()
    assert finish(page).samples == 400
    local = Job(**{**{n: getattr(job, n) for n in job.__slots__}, "runtime": "litert",
                   "outputs": str(tmp_path / "here.npy")})  # fmt: skip
    LocalTransport().run(local)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), np.load(tmp_path / "here.npy"), atol=1e-6
    )


def test_a_model_that_was_changed_on_its_way_is_refused(phone, job_for, tmp_path, monkeypatch):
    one = phone()
    other = tmp_path / "other.tflite"
    other.write_bytes(b"something else")
    job = job_for("float.tflite")

    class Swapped(dict):
        def get(self, name, default=None):
            return other

    def work(transport):
        transport.run(Job(action="probe"))
        transport._exchange.files = Swapped()
        return transport.run(job)

    finish = one.begin(work)
    page = one.open()
    with pytest.raises(DeviceError, match="the model arrived damaged: its sha256 differs"):
        finish(page)


def test_threads_and_webgpu_over_http_are_refused_and_the_reason_is_told(phone, job_for):
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address on a network: loopback is trusted")
    one = phone()
    finish = one.begin(lambda transport: transport.run(job_for(threads=2)))
    page = one.open()
    with pytest.raises(DeviceError, match="2 threads were asked for; wasm has 1") as caught:
        finish(page)
    assert "over http from a LAN there is one" in caught.value.hint
    with pytest.raises(DeviceError, match="WebGPU was asked for and is not there: it needs https"):
        one.transport.run(job_for(delegate="webgpu"))


def test_https_brings_threads_and_a_fine_clock(phone, job_for, tmp_path):
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("no openssl here, which makes the certificate: apt-get install openssl")
    pem, key = tmp_path / "page.pem", tmp_path / "page.key"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=edgekit", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    one = phone(certificate=(pem, key))
    finish = one.begin(lambda transport: transport.run(job_for("float.onnx")))
    page = one.open(ignore_https_errors=True, **PHONE)
    facts = finish(page).environment
    assert one.url.startswith("https://")
    assert facts["cross_origin_isolated"] is True
    assert facts["clock_resolution_ns"] <= 20_000


def shown(phone, job_for, scheme, device):
    """A page that has run samples and timed blocks."""
    one = phone()

    def work(transport):
        transport.run(job_for("float.tflite"))
        with transport.session(job_for("busy.tflite", action="measure")) as session:
            for _ in range(12):
                session.block(0.02, 2)

    finish = one.begin(work)
    page = one.open(scheme, **device)
    finish(page)
    return page


@pytest.mark.parametrize(("scheme", "device"), [("light", PHONE), ("dark", DESK)])
def test_axe_finds_nothing_to_complain_of_and_no_screen_is_too_narrow(
    phone, job_for, scheme, device
):
    page = shown(phone, job_for, scheme, device)
    assert violations(page, least=15) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
