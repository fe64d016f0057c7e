"""What tests of pages in a browser share: waiting, and what axe-core has to complain of."""

from __future__ import annotations

from importlib import resources

import pytest

# Makes a page hidden, or seen again.
HIDE = """hidden => {
  Object.defineProperty(document, "visibilityState",
    { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


# Which step the worker was asked for last.
WATCH = """() => {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    window.lastStep = message.step?.step;
    return post.call(this, message, ...rest);
  };
}"""


def until(page, holds):
    """Wait for something; the page's policy forbids what Playwright's own waiting evaluates."""
    for _ in range(1000):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it never came to be")


def violations(page, *, least):
    """Rules that a page breaks, each with a node and why; skips where there is no axe.

    Args:
        page: Of Playwright, as it is shown now.
        least: More rules than these must have been kept, or axe looked at nothing.
    """
    try:
        source = resources.files("axe_playwright_python").joinpath("axe.min.js")
    except ModuleNotFoundError:
        pytest.skip("no axe here: pip install axe-playwright-python")
    # Through the debugger, which a page's policy does not bind.
    page.evaluate(source.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert len(found["passes"]) > least
    return [
        (rule["id"], node["html"][:200], node["failureSummary"][:300])
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
