"""The pictures of the app for the web that the docs show: real bundles on two phones.

    python -m tests.bundles.screenshots docs \
      web-classify=dist/mobilenet-web web-detect=dist/yolo-web:blood.jpg

Each NAME=BUNDLE[:PICTURE] gives NAME.png, a small phone in light, and NAME-dark.png, a larger one
in dark. Without a picture it is the app's own example. What axe-core complains of ends it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from edgekit.transports.web.chromium import NAMES
from tests.bundles.conftest import PHONE, QUIET, serving_folder
from tests.pages import violations

PHONES = (
    ("", "light", {"width": 360, "height": 800}),
    ("-dark", "dark", {"width": 412, "height": 915}),
)


def main(out: Path, orders: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=list(QUIET))
        for order in orders:
            name, _, what = order.partition("=")
            bundle, _, picture = what.partition(":")
            with serving_folder(Path(bundle)) as server:
                for suffix, scheme, size in PHONES:
                    file = out / f"{name}{suffix}.png"
                    take(browser, server.address, picture, file, scheme=scheme, size=size)
                    print(file)
        browser.close()


def take(browser, address, picture, file, *, scheme, size):
    context = browser.new_context(
        viewport=size, color_scheme=scheme, user_agent=PHONE,
        device_scale_factor=2, is_mobile=True, has_touch=True,
    )  # fmt: skip
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("html[data-offline]", state="attached")
    if picture:
        page.set_input_files("#file", picture)
    else:
        page.get_by_role("button", name="Example").click()
    page.wait_for_selector("#results li", state="attached")
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=file)
    found = violations(page, least=15)
    context.close()
    if found:
        raise SystemExit(f"{file}: {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
