from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from edgekit.spec import InputSpec

RGB4 = InputSpec("image", "uint8", (4, 4, 3), "HWC")
SERIES = InputSpec("series", "float32", (5, 2))
PICTURES = np.arange(50 * 48, dtype=np.int64).reshape(50, 4, 4, 3).astype(np.uint8)
LABELS = np.arange(50) % 5


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return save


def test_keras_names_give_train_and_test_and_a_validation_taken_from_train(saved):
    path = saved(x_train=PICTURES, y_train=LABELS, x_test=PICTURES[:9], y_test=LABELS[:9])
    dataset = open_dataset(path)
    sizes = [dataset.size(s) for s in ("train", "validation", "test")]
    assert sizes == [45, 5, 9]
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert np.array_equal(dataset.read("test", [3, 1], RGB4).inputs, PICTURES[[3, 1]])


def test_a_lone_x_is_split_into_three_parts_without_overlap(saved):
    x = np.arange(100, dtype=np.float32).reshape(100, 1)
    dataset = open_dataset(saved(x=x, y=np.arange(100) % 3))
    spec = InputSpec("x", "float32", (1,))
    parts = [
        set(dataset.read(split, range(dataset.size(split)), spec).inputs[:, 0].tolist())
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [72, 8, 20]
    assert set.union(*parts) == set(range(100))


def test_labels_stay_with_their_samples_when_a_split_is_taken_out(saved):
    x = np.arange(100, dtype=np.float32).reshape(100, 1)
    dataset = open_dataset(saved(x=x, y=np.arange(100)))
    for split in ("train", "validation", "test"):
        samples = dataset.read(split, range(dataset.size(split)), InputSpec("x", "float32", (1,)))
        assert np.array_equal(samples.inputs[:, 0], samples.labels)


def test_labels_may_be_absent(saved):
    dataset = open_dataset(saved(x=np.zeros((20, 5, 2), np.float32)))
    assert dataset.classes == ()
    assert dataset.labels("train") is None
    assert dataset.read("train", [0], SERIES).labels is None


def test_floats_for_a_float_input_are_taken_as_they_are(saved):
    x = np.random.default_rng(0).normal(size=(20, 5, 2)).astype(np.float32) * 100
    dataset = open_dataset(saved(x_train=x[:10], x_validation=x[10:], x_test=x[10:]))
    assert np.array_equal(dataset.read("train", range(10), SERIES).inputs, x[:10])


def test_pictures_for_a_float_input_are_mapped_to_its_range(saved):
    spec = InputSpec("image", "float32", (4, 4, 3), "HWC", (0.0, 1.0))
    dataset = open_dataset(saved(x_train=PICTURES, x_test=PICTURES))
    assert np.allclose(dataset.read("test", range(50), spec).inputs, PICTURES / 255)


def test_grey_pictures_get_the_channel_axis_that_the_model_has(saved):
    spec = InputSpec("image", "uint8", (4, 4, 1), "HWC")
    dataset = open_dataset(saved(x_test=PICTURES[..., 0], x_train=PICTURES[..., 0]))
    assert dataset.read("test", [7], spec).inputs.tolist() == PICTURES[7:8, ..., :1].tolist()


def test_another_shape_than_the_models_is_refused_with_both(saved):
    dataset = open_dataset(saved(x=np.zeros((20, 9, 9, 3), np.uint8)))
    with pytest.raises(DataError, match=r"samples are \[9, 9, 3\]; .*'image' takes \[4, 4, 3\]"):
        dataset.read("train", [0], RGB4)


def test_floats_for_a_byte_input_are_refused(saved):
    dataset = open_dataset(saved(x=PICTURES / 255.0))
    with pytest.raises(DataError, match=r"samples are float64; .* takes uint8 in 0…255"):
        dataset.read("train", [0], RGB4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_counted(saved, bad):
    x = np.zeros((20, 5, 2), np.float32)
    x[:, 1, 1] = bad
    x[5, 1, 1] = 0
    with pytest.raises(DataError, match=r"19 of 20 samples of x hold NaN or .*the first at 0"):
        open_dataset(saved(x=x))


def test_a_double_too_large_for_a_float_is_refused(saved):
    dataset = open_dataset(saved(x=np.full((20, 5, 2), 1e300)))
    with pytest.raises(DataError, match="NaN or infinite"):
        dataset.read("train", [0], SERIES)


def test_an_array_of_objects_is_refused_not_unpickled(saved):
    with pytest.raises(DataError, match="x holds Python objects, which edgekit does not read"):
        open_dataset(saved(x=np.array([{"a": 1}, print], dtype=object)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"plain text"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npz") as caught:
        open_dataset(tmp_path / "data.npz")
    assert caught.value.hint.startswith("np.savez(")


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.zeros((0, 4)), "x holds no samples"),
        (np.array(["a", "b"]), "x holds text; expected numbers"),
        (np.zeros(4), r"x is float64 \[4\]; expected numbers"),
        (np.zeros((4, 0)), r"x is float64 \[4, 0\]; expected numbers"),
        (np.float64(3), r"x is float64 \[\]; expected numbers"),
    ],
)
def test_inputs_that_are_no_samples_are_refused_with_the_reason(saved, x, reason):
    with pytest.raises(DataError, match=reason):
        open_dataset(saved(x=x))


def test_a_truncated_file_is_refused(saved):
    path = saved(x=np.random.default_rng(0).normal(size=(200, 50)))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        open_dataset(path)


def test_a_header_that_claims_more_than_any_memory_is_refused(tmp_path):
    import io
    import zipfile

    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", member.getvalue())
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        open_dataset(tmp_path / "data.npz")


def test_a_file_that_unpacks_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("edgekit.datasets.npz.MAX_BYTES", 10_000)
    np.savez_compressed(tmp_path / "data.npz", x=np.zeros((1000, 100)))
    with pytest.raises(DataError, match=r"unpacks to 800,\d+ bytes"):
        open_dataset(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": PICTURES, "y": LABELS, "x_train": PICTURES}, "x_train beside x: which of them"),
        ({"x_train": PICTURES, "x_test": PICTURES, "y_test": LABELS}, "y_train is missing"),
        ({"x_train": PICTURES, "y_train": LABELS, "y_validation": LABELS}, "but no x_validation"),
        (
            {"x_train": PICTURES, "x_test": PICTURES[:, 1:]},
            r"x_test are \[3, 4, 3\], those to train",
        ),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(saved, arrays, reason):
    with pytest.raises(DataError, match=reason):
        open_dataset(saved(**arrays))


def test_a_split_without_labels_beside_others_is_an_issue(saved):
    dataset = open_dataset(saved(x_train=PICTURES, y_train=LABELS, x_test=PICTURES))
    (issue,) = dataset.issues()
    assert (issue.kind, issue.where, issue.is_error) == ("no labels", "split test", False)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("x_val", "x_validation"),
        ("X_test", "x_test"),
        ("x_valid", "x_validation"),
        ("y_tets", "y_test"),
        ("x_trian", "x_train"),
    ],
)
def test_a_name_that_is_nearly_one_that_counts_is_refused(saved, name, meant):
    with pytest.raises(DataError, match=f"{name} means nothing here") as caught:
        open_dataset(saved(x_train=PICTURES, y_train=LABELS, **{name: PICTURES}))
    assert caught.value.hint == f"did you mean {meant}?"


def test_an_array_that_means_nothing_is_an_issue_and_no_error(saved):
    dataset = open_dataset(saved(x=PICTURES, y=LABELS, names=LABELS))
    (issue,) = dataset.issues()
    assert issue.kind == "unused array"
    assert issue.where.endswith("data.npz: names")
    assert not issue.is_error


def test_missing_names_are_told_with_those_that_are_there(saved):
    with pytest.raises(DataError, match="neither x nor x_train") as caught:
        open_dataset(saved(images=PICTURES, labels=LABELS))
    assert caught.value.details == ("it holds: images, labels",)


@pytest.mark.parametrize(
    ("labels", "reason", "hint"),
    [
        (LABELS[:30], "x has 50 samples, y has 30 labels", None),
        (LABELS - 1, "y holds -1; class numbers lie in 0…1,000,000", "return_inverse"),
        (LABELS * 10**6, "y holds 4000000; class numbers lie in", "return_inverse"),
        (LABELS * 0.5, "y holds 0.5; class numbers are whole", "return_inverse"),
        (LABELS * np.nan, "y holds nan; class numbers are whole", "return_inverse"),
        (LABELS * 1.0, "y is float64; expected whole numbers", "astype"),
        (LABELS.astype(str), r"y holds text \('0'\); expected class numbers", "return_inverse"),
        (np.eye(5)[LABELS], r"y is float64 \[50, 5\]; expected one class number", "one-hot"),
        (np.int64(3), r"y is int64 \[\]; expected one class number", "return_inverse"),
        (LABELS.astype(object), "y holds Python objects", "plain numbers"),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused_with_the_reason(saved, labels, reason, hint):
    with pytest.raises(DataError, match=reason) as caught:
        open_dataset(saved(x=PICTURES, y=labels))
    assert hint is None if caught.value.hint is None else hint in caught.value.hint


FIRST = InputSpec("image", "float32", (3, 4, 4), "CHW", (0.0, 1.0))


@pytest.mark.parametrize("stored", [PICTURES, PICTURES.transpose(0, 3, 1, 2)])
def test_stored_pictures_fit_an_input_with_channels_first(saved, stored):
    dataset = open_dataset(saved(x_train=stored, x_test=stored))
    found = dataset.read("test", range(50), FIRST).inputs
    np.testing.assert_allclose(found, PICTURES.transpose(0, 3, 1, 2) / 255, rtol=1e-6)


def test_stored_floats_go_into_an_input_with_channels_first_as_they_are(saved):
    values = np.random.default_rng(0).random((20, 3, 4, 4), np.float32)
    dataset = open_dataset(saved(x_train=values, x_test=values))
    assert np.array_equal(dataset.read("test", range(20), FIRST).inputs, values)
    assert dataset.limits("f") == (values.min(), values.max())
    last = values.transpose(0, 2, 3, 1)
    other = open_dataset(saved(x_train=last, x_test=last))
    with pytest.raises(DataError, match="takes"):
        other.read("test", [0], FIRST)


LEFT = InputSpec("left", "float32", (3,), range=(-9.0, 9.0))
STEP = InputSpec("step", "int32", (), range=(0.0, 99.0))


def pairs(count):
    left = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    return {"x.left": left, "x.step": np.arange(count), "y": np.arange(count)}


def test_several_inputs_have_an_array_each_and_stay_together_in_every_split(saved):
    dataset = open_dataset(saved(**pairs(100)))
    assert dataset.input_names == ("left", "step")
    for split in ("train", "validation", "test"):
        indices = range(dataset.size(split))
        left, step = (dataset.read(split, indices, spec) for spec in (LEFT, STEP))
        assert np.array_equal(left.inputs[:, 0], 3 * step.inputs)
        assert np.array_equal(step.inputs, left.labels)
        assert step.inputs.dtype == np.int32


def test_a_split_that_lacks_the_array_of_an_input_is_named(saved):
    arrays = {"x_train.left": np.ones((20, 3)), "x_train.step": np.ones(20)}
    with pytest.raises(DataError, match=r"x_test\.step is missing"):
        open_dataset(saved(**arrays, **{"x_test.left": np.ones((5, 3))}))


def test_arrays_of_different_lengths_are_refused_with_both(saved):
    arrays = {"x.left": np.ones((20, 3)), "x.step": np.ones(19)}
    with pytest.raises(DataError, match=r"x\.left has 20 samples, x\.step has 19"):
        open_dataset(saved(**arrays))


def test_an_array_for_the_only_input_beside_those_for_several_is_refused(saved):
    with pytest.raises(DataError, match=r"x_test beside x_train\.left: for one input, or for"):
        open_dataset(saved(**{"x_train.left": np.ones((20, 3)), "x_test": np.ones((5, 3))}))


def test_an_input_that_has_no_array_is_refused_with_those_that_have(saved):
    dataset = open_dataset(saved(**pairs(20)))
    with pytest.raises(DataError, match=r"feeds the inputs left, step; the model has 'x'"):
        dataset.read("train", [0], InputSpec("x", "float32", (3,)))
