from __future__ import annotations

from edgekit.bundles.licences import licence_text


def test_the_text_of_the_models_own_licence_is_that_of_the_project(checkout):
    text = licence_text("Apache-2.0")
    assert text.startswith("Licence of the weights in this bundle (SPDX): Apache-2.0\n")
    assert (checkout / "LICENSE").read_text().strip("\n") in text


def test_other_licences_say_where_their_text_is():
    lines = licence_text("(CC-BY-4.0 OR MIT) AND GPL-2.0+ WITH LicenseRef-Own").splitlines()
    assert lines[2:] == [
        "CC-BY-4.0: https://spdx.org/licenses/CC-BY-4.0.html",
        "MIT: https://spdx.org/licenses/MIT.html",
        "GPL-2.0+: https://spdx.org/licenses/GPL-2.0.html",
        "LicenseRef-Own: ask whoever made this bundle",
    ]


def test_every_bundle_with_a_licence_carries_it(bundle):
    assert (bundle / "LICENCE").read_text() == licence_text("Apache-2.0")
