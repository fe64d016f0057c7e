from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.quantization.explain.layers import Layer
from edgekit.quantization.explain.matching import (
    Candidates,
    Match,
    match_names,
    match_values,
    views,
    word,
)


def layer(*names, op="Conv", sources=(), shape=(1, 4, 4, 3)):
    return Layer(names[0], op, names, shape, "int8", tuple(sources))


def tensors(*names, shape=(5, 1, 4, 4, 3), seed=0):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) for name in names}


def candidates(values, kinds=None, aliases=None):
    return Candidates(values, {n: (kinds or {}).get(n, "Conv2D") for n in values}, aliases or {})


def noisy(values, share=0.05):
    return values + share * np.random.default_rng(9).normal(size=values.shape)


def match(layers, given_values, known):
    return match_values(layers, given_values, known, match_names(layers, given_values, known))


def one(wanted, given_values, known):
    (found,) = match([wanted], [given_values], known)
    return found


def test_fused_nodes_mean_the_output_of_the_last_of_them():
    values = tensors("conv", "bias", "relu", "later")
    found = one(layer("conv;x", "relu", "conv", "bias"), noisy(values["relu"]), candidates(values))
    assert (found.tensor, found.how) == ("relu", "name")
    assert found.concordance > 0.99


@pytest.mark.parametrize("name", ["relu:0", "relu1", "relu", "relu21"])
def test_suffixes_of_converters_do_not_hide_a_name(name):
    values = tensors("conv", "relu")
    assert one(layer(name), noisy(values["relu"]), candidates(values)).tensor == "relu"


def test_the_name_of_a_models_output_means_its_tensor():
    values = tensors("conv", "Identity")
    known = candidates(values, aliases={"logits": "Identity"})
    assert one(layer("logits"), noisy(values["Identity"]), known).tensor == "Identity"


def test_channels_first_is_turned_to_channels_last():
    values = tensors("relu")
    found = one(layer("relu"), values["relu"].transpose(0, 1, 4, 2, 3), candidates(values))
    assert found.concordance == pytest.approx(1.0)


def test_a_ruined_layer_keeps_its_name_so_that_it_is_blamed():
    values = tensors("conv", "other")
    ruined = np.zeros_like(values["conv"])
    found = one(layer("conv"), ruined, candidates(values))
    assert (found.tensor, found.how) == ("conv", "name")


def test_a_name_that_leads_to_another_operator_with_other_values_is_none():
    values = tensors("norm/Rsqrt")
    known = candidates(values, {"norm/Rsqrt": "Rsqrt"})
    found = one(layer("norm/Rsqrt:0", op="Sqrt"), 1 / (values["norm/Rsqrt"] + 9), known)
    assert found == "its name is that of a Rsqrt, which has other values than this Sqrt"


def test_what_has_no_name_is_found_by_its_values_and_says_so():
    values = tensors("conv", "relu", "pool")
    found = one(layer("Conv_6:0"), noisy(values["relu"]), candidates(values))
    assert (found.tensor, found.how) == ("relu", "values")


def test_what_has_neither_name_nor_values_is_not_paired():
    values = tensors("conv", "relu")
    strange = np.random.default_rng(77).normal(size=values["relu"].shape)
    assert isinstance(one(layer("Conv_6:0"), strange, candidates(values)), str)


def test_a_layer_is_not_paired_by_values_with_what_comes_before_its_inputs():
    values = tensors("early", "middle", "late")
    values["late"] = values["early"] * 0.5
    layers = [layer("middle"), layer("unnamed", op="Sub", sources=[0])]
    found = match(layers, [values["middle"], noisy(values["early"])], candidates(values))
    assert isinstance(found[0], Match)
    assert isinstance(found[1], str)


def test_no_tensor_is_found_by_values_twice_over_a_name():
    values = tensors("conv")
    layers = [layer("conv"), layer("copy")]
    found = match(layers, [values["conv"], values["conv"]], candidates(values))
    assert isinstance(found[0], Match)
    assert isinstance(found[1], str)


@given(st.permutations([2, 3, 5]), st.permutations([0, 1, 2]), st.booleans())
def test_some_view_brings_turned_and_merged_axes_back(shape, order, merged):
    target = np.arange(4 * 30).reshape(4, *shape)
    source = target.transpose(0, *(axis + 1 for axis in order))
    if merged:
        source = source.reshape(4, source.shape[1], -1)
    found = [view.apply(source) for view in views(tuple(source.shape[1:]), tuple(target.shape[1:]))]
    assert any((values == target).all() for values in found)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_the_plainest_view_comes_first(shape):
    values = np.arange(2 * int(np.prod(shape))).reshape(2, *shape)
    first = next(iter(views(tuple(shape), tuple(shape))))
    assert (first.apply(values) == values).all()


def test_shapes_of_other_sizes_have_no_view():
    assert list(views((1, 4), (1, 5))) == []


def test_operators_have_one_word_in_all_formats():
    assert {word(op) for op in ("ADD", "AddV2", "Add", "BiasAdd")} == {"add"}
    assert word("Sqrt") != word("Rsqrt")
