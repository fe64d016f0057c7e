from __future__ import annotations

import numpy as np
import pytest

from edgekit.agent.samples import SampleReader, SampleWriter
from edgekit.errors import DataError, FileError
from edgekit.tensor import TensorInfo

IMAGE = TensorInfo("image", "float32", (1, 2, 3))
GRID = TensorInfo("image", "int8", (1, 2, 3), scale=0.5, zero_point=1)
LEFT = TensorInfo("left:0", "float32", (-1, 5))
RIGHT = TensorInfo("right:0", "int32", (1, 5))


def saved(place, array):
    np.save(place, array)
    return place


def test_samples_come_one_at_a_time_with_a_batch_axis(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    reader = SampleReader(saved(tmp_path / "x.npy", values), [IMAGE])
    assert len(reader) == 4
    (second,) = reader[1]
    assert second.shape == (1, 2, 3)
    assert (second[0] == values[1]).all()


def test_another_dtype_is_refused_never_cast(tmp_path):
    place = saved(tmp_path / "x.npy", np.zeros((4, 2, 3), np.float64))
    with pytest.raises(DataError, match="samples are float64; input image takes float32"):
        SampleReader(place, [IMAGE])


def test_another_shape_is_refused_with_both_shapes(tmp_path):
    place = saved(tmp_path / "x.npy", np.zeros((4, 3, 2), np.float32))
    with pytest.raises(DataError, match=r"shape \(3, 2\); input image takes \(2, 3\)"):
        SampleReader(place, [IMAGE])


def test_float_samples_for_an_integer_input_are_refused_never_quantized(tmp_path):
    place = saved(tmp_path / "x.npy", np.full((1, 2, 3), 2.0, np.float32))
    with pytest.raises(DataError, match="samples are float32; input image takes int8"):
        SampleReader(place, [GRID])


def test_several_inputs_are_read_by_name_from_a_folder(tmp_path):
    saved(tmp_path / "left_0.npy", np.ones((3, 5), np.float32))
    saved(tmp_path / "right_0.npy", np.full((3, 5), 7, np.int32))
    left, right = SampleReader(tmp_path, [LEFT, RIGHT])[2]
    assert (left == 1).all()
    assert (right == 7).all()


def test_one_file_for_two_inputs_is_refused_with_the_names_to_use(tmp_path):
    place = saved(tmp_path / "x.npy", np.ones((3, 5), np.float32))
    with pytest.raises(DataError, match="2 inputs and this is one file") as caught:
        SampleReader(place, [LEFT, RIGHT])
    assert "left_0.npy, right_0.npy" in caught.value.hint


def test_inputs_that_differ_in_count_are_refused(tmp_path):
    saved(tmp_path / "left_0.npy", np.ones((3, 5), np.float32))
    saved(tmp_path / "right_0.npy", np.ones((2, 5), np.int32))
    with pytest.raises(DataError, match="differ in their number"):
        SampleReader(tmp_path, [LEFT, RIGHT])


def test_a_pickle_is_never_loaded(tmp_path):
    place = tmp_path / "x.npy"
    np.save(place, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"not a readable \.npy file"):
        SampleReader(place, [IMAGE])


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npy_is_refused(tmp_path, content):
    place = tmp_path / "x.npy"
    place.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npy: not a readable \.npy file"):
        SampleReader(place, [IMAGE])


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"x\.npy: no such file of samples"):
        SampleReader(tmp_path / "x.npy", [IMAGE])


def test_no_sample_at_all_is_refused(tmp_path):
    place = saved(tmp_path / "x.npy", np.ones((0, 2, 3), np.float32))
    with pytest.raises(DataError, match="it holds no sample"):
        SampleReader(place, [IMAGE])


def test_a_batch_that_is_fixed_at_another_size_is_refused(tmp_path):
    place = saved(tmp_path / "x.npy", np.ones((8, 5), np.float32))
    with pytest.raises(DataError, match="fixed batch of 8; 1 is needed"):
        SampleReader(place, [TensorInfo("image", "float32", (8, 5))])


def test_outputs_are_stacked_without_the_batch_axis(tmp_path):
    place = tmp_path / "deep" / "y.npy"
    writer = SampleWriter(place, [LEFT], 3)
    for index in range(3):
        writer.write(index, [np.full((1, 5), index, np.float32)])
    writer.close()
    stacked = np.load(place, allow_pickle=False)
    assert stacked.shape == (3, 5)
    assert stacked[:, 0].tolist() == [0, 1, 2]


def test_several_outputs_become_a_folder_with_a_file_each(tmp_path):
    writer = SampleWriter(tmp_path / "out", [LEFT, RIGHT], 1)
    writer.write(0, [np.zeros((1, 5), np.float32), np.ones((1, 5), np.int32)])
    writer.close()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["left_0.npy", "right_0.npy"]


def test_an_output_that_changes_shape_between_samples_is_refused(tmp_path):
    writer = SampleWriter(tmp_path / "y.npy", [LEFT], 2)
    writer.write(0, [np.zeros((1, 5), np.float32)])
    with pytest.raises(DataError, match=r"output left:0 of sample 1 has shape \(1, 4\)"):
        writer.write(1, [np.zeros((1, 4), np.float32)])
