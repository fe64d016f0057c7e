from __future__ import annotations

import re
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import registry
from edgekit.errors import EdgekitError, UsageError

NAMES = st.lists(st.text("abc-", min_size=1, max_size=5), min_size=1, max_size=8, unique=True)


def plug_in(monkeypatch, *points):
    group = "edgekit.exporters"
    known = [EntryPoint(name, value, group) for name, value in points]
    monkeypatch.setattr(registry, "entry_points", lambda group: known)


def test_an_exact_name_wins_over_longer_names_that_begin_with_it():
    assert registry.resolve("net", ["net", "network"], what="model") == "net"


def test_a_unique_prefix_is_enough():
    assert registry.resolve("mob", ["mobilenet", "resnet"], what="model") == "mobilenet"


def test_an_ambiguous_prefix_is_refused_with_all_candidates():
    with pytest.raises(UsageError, match="'res' is ambiguous: resnet18, resnet50"):
        registry.resolve("res", ["resnet50", "resnet18"], what="model")


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="unknown model 'moblienet'") as caught:
        registry.resolve("moblienet", ["mobilenet", "unet"], what="model")
    assert caught.value.hint == "did you mean mobilenet?"


def test_variants_of_a_name_that_was_meant_are_not_named_too():
    known = ["mobilenet", "mobilenet-v1", "mobilenet-v3-small", "mobilevit"]
    with pytest.raises(UsageError) as caught:
        registry.resolve("moblienet", known, what="model")
    assert caught.value.hint == "did you mean mobilenet?"


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(UsageError) as caught:
        registry.resolve("zzz", ["unet", "mobilenet"], what="model")
    assert caught.value.hint == "one of: mobilenet, unet"


@given(names=NAMES, data=st.data())
def test_a_name_resolves_exactly_when_it_is_known_or_begins_one_known_name_and_its_variants(
    names, data
):
    asked = data.draw(st.sampled_from(names) | st.text("abc-", max_size=5))
    fitting = [name for name in names if asked and name.startswith(asked)]
    first = min(fitting, key=len, default="")
    if asked in names or (
        fitting and {n[: len(first) + 1] for n in fitting} <= {first, f"{first}-"}
    ):
        found = registry.resolve(asked, names, what="model")
        assert found == (asked if asked in names else first)
    else:
        with pytest.raises(UsageError, match=re.escape(repr(asked))):
            registry.resolve(asked, names, what="model")


def test_listing_parts_imports_none_of_them(monkeypatch):
    plug_in(monkeypatch, ("broken", "no_such_module_anywhere:Thing"))
    assert list(registry.parts(registry.EXPORTERS)) == ["broken"]


def test_a_broken_plug_in_is_named_when_it_is_selected_and_only_then(monkeypatch):
    plug_in(monkeypatch, ("good", "json:dumps"), ("broken", "no_such_module_anywhere:Thing"))
    assert registry.load(registry.EXPORTERS, "good")({}) == "{}"
    with pytest.raises(EdgekitError, match="broken: the plug-in no_such_module_anywhere:Thing"):
        registry.load(registry.EXPORTERS, "broken")


def test_a_third_party_part_replaces_the_built_in_one_of_that_name(monkeypatch):
    for points in (
        [("t", "edgekit.a:A"), ("t", "other:B")],
        [("t", "other:B"), ("t", "edgekit.a:A")],
    ):
        plug_in(monkeypatch, *points)
        assert registry.parts(registry.EXPORTERS)["t"].value == "other:B"


def test_an_unknown_part_is_a_usage_error_that_names_the_kind(monkeypatch):
    plug_in(monkeypatch, ("tflite", "json:dumps"))
    with pytest.raises(UsageError, match="unknown exporter 'tflight'"):
        registry.load(registry.EXPORTERS, "tflight")


def test_a_prefix_of_a_name_and_its_variants_means_the_name():
    known = ["mobilenet", "mobilenet-v1", "mobilenet-v3-small"]
    assert registry.resolve("mob", known, what="model") == "mobilenet"
    with pytest.raises(UsageError, match="ambiguous"):
        registry.resolve("mob", [*known, "mobileone"], what="model")
