"""What tests of the app for the web do to its page and to its files."""

from __future__ import annotations

import hashlib
import json

# An app that asks for no signature, as it is made without one.
UNPINNED = {"app/key.js": b"self.KEY = null;\n"}


def wait_for(page, selector):
    page.wait_for_selector(selector, state="attached", timeout=20_000)


def result_of(page):
    wait_for(page, "#checked[data-result]")
    return json.loads(page.locator("#checked").get_attribute("data-result"))


def changed_list(app, changed):
    """Files of a bundle that are changed, with a list that was made to fit."""
    listed = json.loads((app / "bundle.json").read_text())
    for name, data in changed.items():
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        listed["files"][name] = entry
    return {**changed, "bundle.json": json.dumps(listed).encode()}


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
