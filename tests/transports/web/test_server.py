"""The server of a page, asked by hand: who is let in, what may be asked for, what comes back."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.transports.web.server import PageServer


def test_without_the_token_nothing_is_answered(browser):
    browser.claim()
    for path in ("/", "/index.html", "/wrong/", "/wrong/page.js", browser.base[:-2] + "/", "//"):
        status, _, body = browser.request("", path=path)
        assert (status, body) == (403, b"")


def test_a_page_of_somebody_elses_that_leads_here_is_refused(browser):
    assert browser.request("", host="evil.example:80")[0] == 403
    assert browser.request("")[0] == 200


def test_the_page_is_isolated_and_loads_nothing_from_elsewhere(browser):
    status, headers, body = browser.request("")
    assert status == 200
    assert body.startswith(b"<!doctype html>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
    assert "unsafe-inline" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.js", "text/javascript; charset=utf-8"), ("style.css", "text/css; charset=utf-8")],
)
def test_files_have_the_type_that_browsers_want(browser, name, kind):
    status, headers, _ = browser.request(name)
    assert (status, headers["Content-Type"]) == (200, kind)


@pytest.mark.parametrize(
    "name",
    [
        "../server.py", "..%2fserver.py", "%2e%2e/server.py", "page/../../server.py",
        "/etc/passwd", "//etc/passwd", "runtimes/../package.json", "package.json", "page.js/",
        "page.js%00", "..\\server.py", ".", "",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(browser, name):
    status, _, body = browser.request(name)
    if name:
        assert (status, body) == (404, b"")
    else:
        assert body.startswith(b"<!doctype html>")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#")))
def test_whatever_path_is_asked_for_only_listed_files_come(browser, name):
    status, _, body = browser.request("", path=browser.base + name)
    assert status == 404 or name in ("", "index.html") or name.endswith((".js", ".css", ".wasm"))
    assert b"root:" not in body


def test_the_first_browser_owns_the_page_and_a_second_one_is_refused(browser, exchange):
    assert browser.claim() == 200
    mine, browser.secret = browser.secret, ""
    assert browser.claim() == 409
    browser.secret = "guess"
    assert browser.claim() == 409
    for name in ("next?after=0", "alive", "body?number=1", "file?name=x"):
        assert browser.request(name)[0] == 403
    assert browser.answer(1, {}) == 403
    browser.secret = mine
    assert browser.claim("two") == 200
    assert exchange.loads == 2


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"load": 5}', b'{"load": ""}', b"\xff"])
def test_a_claim_that_is_none_is_refused(browser, body):
    assert browser.request("claim", method="POST", body=body)[0] == 400


def test_what_is_too_long_is_refused_before_it_is_read(browser, exchange):
    long = {"Content-Length": str(10**12)}
    assert browser.request("claim", method="POST", headers=long)[0] == 413
    assert browser.request("claim", method="POST", headers={"Content-Length": "-5"})[0] == 411
    assert browser.request("claim", method="POST")[0] == 411
    browser.claim()
    assert browser.request("answer?number=1", method="POST", headers=long)[0] == 413


def test_a_step_with_its_body_goes_out_and_its_answer_comes_back(browser, exchange):
    browser.claim()
    found = []
    asking = threading.Thread(
        target=lambda: found.append(exchange.ask({"step": "run"}, b"\x00\x01\xff", timeout_s=20))
    )
    asking.start()
    status, _, body = browser.request("next?after=0")
    assert (status, body) == (200, b'{"number": 1, "step": {"step": "run"}, "bytes": 3}')
    assert browser.request("body?number=1")[2] == b"\x00\x01\xff"
    assert browser.request("body?number=2")[0] == 404
    assert browser.answer(1, {"fine": True}, b"\x07") == 204
    asking.join(timeout=20)
    ((header, raw),) = found
    assert (header, bytes(raw)) == ({"fine": True}, b"\x07")
    assert browser.answer(1, {"fine": True}) == 204  # a second copy is thanked for
    assert browser.answer(7, {"fine": True}) == 413  # there is no room for what nobody asked


def test_a_file_is_handed_out_by_the_name_it_was_registered_with(browser, exchange, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"weights")
    exchange.files["model-1"] = path
    assert browser.request("file?name=model-1")[0] == 403
    browser.claim()
    assert browser.request("file?name=model-1")[2] == b"weights"
    assert browser.request(f"file?name={path}")[0] == 404


def test_a_page_learns_that_it_is_over(browser, exchange):
    browser.claim()
    exchange.end(DeviceError("done"))
    status, _, body = browser.request("next?after=0")
    assert (status, body) == (200, b'{"over": "edgekit is done with this page"}')


def test_a_port_that_is_taken_is_one_error(browser, exchange):
    port = int(browser.host.rpartition(":")[2])
    with pytest.raises(DeviceError, match=rf"no server at 127\.0\.0\.1, port {port}: ") as caught:
        PageServer(exchange, port=port)
    assert "TOML" in caught.value.hint
