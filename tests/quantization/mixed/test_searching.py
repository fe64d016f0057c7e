from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.quantization.mixed.layers import Operator, grouped
from edgekit.quantization.mixed.searching import first_guess, ranked, search_prefix


def always():
    return True


@given(st.integers(1, 300), st.integers(1, 400), st.data())
def test_the_shortest_prefix_that_is_enough_is_found_in_few_tries(most, first, data):
    enough = data.draw(st.integers(1, most))
    found = search_prefix(most, first, lambda count: float(count < enough), 0.5, always)
    assert found.count == enough
    assert found.complete
    tried = [one.count for one in found.tried]
    assert len(set(tried)) == len(tried)
    assert all(1 <= count <= most for count in tried)
    assert len(tried) <= 2 * math.log2(most) + 2


@given(st.integers(1, 300), st.integers(1, 400))
def test_where_nothing_is_enough_the_longest_was_tried(most, first):
    found = search_prefix(most, first, lambda count: 1.0, 0.5, always)
    assert found.count is None
    assert found.tried[-1].count == most


@given(st.integers(2, 100), st.integers(1, 100), st.integers(1, 6), st.data())
def test_without_time_the_best_until_then_is_the_answer(most, first, tries, data):
    enough = data.draw(st.integers(1, most))
    left = [tries - 1]

    def has_time():
        left[0] -= 1
        return left[0] >= 0

    found = search_prefix(most, first, lambda count: float(count < enough), 0.5, has_time)
    assert len(found.tried) <= tries
    good = [one.count for one in found.tried if one.drop <= 0.5]
    assert found.count == min(good, default=None)


def test_of_equal_noise_the_cheapest_layer_goes_first():
    assert ranked([1.0, 1.0, 1.0], [0.5, 0.1, 0.4]) == [1, 2, 0]


def test_of_equal_cost_the_noisiest_layer_goes_first():
    assert ranked([0.1, 3.0, 2.0], [0.3, 0.3, 0.3]) == [1, 2, 0]


@pytest.mark.parametrize(("part", "count"), [(1.0, 1), (0.5, 1), (0.3, 2), (0.06, 3), (0.0, 4)])
def test_the_first_guess_leaves_as_much_noise_as_may_be(part, count):
    assert first_guess([0.6, 0.2, 0.15, 0.05], [0, 1, 2, 3], part) == count


def test_what_follows_a_kernel_belongs_to_it_and_a_sum_to_the_later_of_its_layers():
    operators = [
        Operator(0, "scaled", "MUL", 0, kernel=False, sources=()),
        Operator(2, "a", "CONV_2D", 30, kernel=True, sources=(0,)),
        Operator(3, "b", "CONV_2D", 10, kernel=True, sources=(2,)),
        Operator(5, "sum", "ADD", 0, kernel=False, sources=(2, 3)),
        Operator(6, "pool", "MEAN", 0, kernel=False, sources=(5,)),
    ]
    layers, of = grouped(operators)
    assert [(layer.name, layer.ops, layer.share) for layer in layers] == [
        ("scaled", 1, 0.0), ("a", 1, 0.75), ("b", 3, 0.25),
    ]  # fmt: skip
    assert of == {0: 0, 2: 1, 3: 2, 5: 2, 6: 2}
