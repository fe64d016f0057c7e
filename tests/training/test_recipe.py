from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ModelError
from edgekit.models import resolve_model
from edgekit.training.recipe import SCHEDULES, Recipe, Segment, Stage, read_recipe

PARAMETERS = {"size": 96}


def test_an_empty_table_is_the_default_recipe():
    assert read_recipe({}, PARAMETERS, "m/model.toml: train") == Recipe()


def test_the_recipe_of_the_reference_model_is_valid():
    spec = resolve_model("mobilenet").spec
    recipe = read_recipe(spec.train, spec.parameters, "mobilenet")
    assert recipe.stages[-1].parameters == {}
    assert recipe.epochs == sum(stage.epochs for stage in recipe.stages)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"lerning_rate": 0.1}, "unknown key lerning_rate"),
        ({"optimizer": "adam"}, "optimizer: 'adam' is not one of adamw, sgd"),
        ({"batch_size": "many"}, "batch_size: expected a whole number, found 'many'"),
        ({"learning_rate": float("nan")}, "learning_rate: nan is outside"),
        ({"epochs": 0}, "epochs: 0 is outside 1…"),
        ({"epochs": 3, "stages": [{"epochs": 3}]}, "give either epochs or stages"),
        ({"stages": [{"epochs": 1, "parameters": {"depth": 2}}]}, "has no parameter 'depth'"),
        ({"stages": [{"epochs": 1, "parameters": {"size": 48}}]}, "the last stage must train"),
        ({"stages": [{"epochs": 1, "epoch": 2}, {"epochs": 1}]}, r"stages\[0\]: unknown key epoch"),
        ({"stages": []}, "the last stage must train"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_place(table, complaint):
    with pytest.raises(ModelError, match=f"m/model.toml: train.*{complaint}"):
        read_recipe(table, PARAMETERS, "m/model.toml: train")


@given(
    shares=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    epochs=st.integers(1, 200),
)
def test_other_epochs_are_shared_out_over_the_stages_and_each_kept_stage_gets_one(shares, epochs):
    recipe = Recipe(stages=tuple(Stage(n) for n in shares)).with_epochs(epochs)
    assert recipe.epochs == epochs
    assert min(stage.epochs for stage in recipe.stages) >= 1
    assert len(recipe.stages) == min(len(shares), epochs)


def test_the_same_number_of_epochs_changes_nothing():
    recipe = Recipe(stages=(Stage(12, {"size": 48}), Stage(5, {"size": 64}), Stage(6)))
    assert recipe.with_epochs(23) == recipe


@pytest.mark.parametrize(
    ("size", "stages"),
    [
        (96, (Stage(12, {"size": 48}), Stage(5, {"size": 64}), Stage(6))),
        (128, (Stage(12, {"size": 48}), Stage(5, {"size": 64}), Stage(6))),
        (64, (Stage(12, {"size": 48}), Stage(11))),
        (56, (Stage(12, {"size": 48}), Stage(11))),
        (48, (Stage(23),)),
        (32, (Stage(23),)),
    ],
)
def test_no_stage_is_larger_than_the_model_asked_for_and_no_epoch_is_lost(size, stages):
    recipe = Recipe(stages=(Stage(12, {"size": 48}), Stage(5, {"size": 64}), Stage(6)))
    assert recipe.fitted({"size": 96}, {"size": size}).stages == stages


def test_a_stage_larger_on_purpose_or_not_a_number_is_left_as_it_is():
    declared = {"size": 96, "dropout": 0.1, "head": "small", "wide": False}
    stage = Stage(2, {"dropout": 0.3, "head": "large", "wide": True})
    recipe = Recipe(stages=(stage, Stage(1)))
    assert recipe.fitted(declared, {**declared, "size": 32}) == recipe


def test_the_rate_warms_up_to_its_peak_and_ends_near_zero():
    recipe = Recipe(stages=(Stage(10),), learning_rate=0.5, warmup_epochs=2)
    rates = [recipe.rate_at(step, 20) for step in range(200)]
    assert rates[0] < 0.02
    assert max(rates) == rates[40] == 0.5
    assert rates[:41] == sorted(rates[:41])
    assert rates[40:] == sorted(rates[40:], reverse=True)
    assert 0 < rates[-1] < 1e-3


@given(
    warmup=st.floats(0, 50),
    epochs=st.integers(1, 20),
    steps=st.integers(1, 30),
    schedule=st.sampled_from(SCHEDULES),
    frozen=st.integers(0, 25),
)
def test_no_warm_up_however_long_gives_a_rate_outside_its_bounds(
    warmup, epochs, steps, schedule, frozen
):
    recipe = Recipe(
        stages=(Stage(epochs),),
        learning_rate=1.0,
        warmup_epochs=warmup,
        schedule=schedule,
        freeze_epochs=frozen,
    )
    rates = [recipe.rate_at(step, steps) for step in range(epochs * steps)]
    assert all(0 < rate <= 1 for rate in rates)


def test_an_epoch_belongs_to_the_stage_that_holds_it():
    recipe = Recipe(stages=(Stage(2), Stage(1), Stage(3)))
    assert [recipe.stage_of(epoch) for epoch in range(6)] == [0, 0, 1, 2, 2, 2]
    assert [recipe.first_epoch(stage) for stage in range(3)] == [0, 2, 3]
    with pytest.raises(IndexError):
        recipe.stage_of(6)


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("cosine", (1.0, 0.854, 0.5, 0.146)),
        ("linear", (1.0, 0.75, 0.5, 0.25)),
        ("step", (1.0, 1.0, 0.1, 0.01)),
        ("constant", (1.0, 1.0, 1.0, 1.0)),
    ],
)
def test_a_schedule_gives_its_shares_of_the_highest_rate(schedule, shares):
    recipe = Recipe(stages=(Stage(4),), learning_rate=1.0, warmup_epochs=0, schedule=schedule)
    assert [recipe.rate_at(step * 10, 10) for step in range(4)] == pytest.approx(shares, abs=1e-3)


def test_after_frozen_epochs_the_rate_warms_up_again_to_a_lower_peak():
    recipe = Recipe(stages=(Stage(10),), learning_rate=1.0, freeze_epochs=4, thawed_rate=0.2)
    rates = [recipe.rate_at(step, 10) for step in range(100)]
    assert max(rates[:40]) == rates[10] == 1.0
    assert rates[39] < 0.01
    assert max(rates[40:]) == rates[50] == pytest.approx(0.2)


@given(
    stages=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    frozen=st.integers(0, 30),
)
def test_segments_follow_one_another_and_change_where_stage_or_freezing_does(stages, frozen):
    recipe = Recipe(stages=tuple(Stage(n) for n in stages), freeze_epochs=frozen)
    epoch, found = 0, []
    while epoch < recipe.epochs:
        segment = recipe.segment_of(epoch)
        assert segment.first == epoch < segment.end
        for inner in range(segment.first, segment.end):
            assert recipe.segment_of(inner) == segment
            assert segment == Segment(
                segment.first, segment.end, recipe.stage_of(inner), inner < frozen
            )
        found.append(segment)
        epoch = segment.end
    assert epoch == recipe.epochs
    pairs = [(segment.stage, segment.frozen) for segment in found]
    assert len(set(pairs)) == len(pairs)
