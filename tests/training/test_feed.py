from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import open_dataset
from edgekit.datasets.glyphs import Glyphs
from edgekit.errors import DataError
from edgekit.spec import InputSpec
from edgekit.training.augment import augmenter_for
from edgekit.training.augment.image import ImageAugmentation
from edgekit.training.feed import Feed, ReadAhead, Stored, epoch_order, fits, open_source

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RGB32 = InputSpec("image", "uint8", (32, 32, 3), "HWC")
# For a 32-bit float: what an .npz tells only when it is read for such an input.
TOO_LARGE = 1e300


def glyph_feed(batch_size, scratch):
    return Feed(ReadAhead(Glyphs(), [RGB32], batch_size, scratch=scratch), batch_size)


@given(
    size=st.integers(1, 40), samples=st.integers(1, 60), laps=st.integers(1, 3), seed=st.integers(0)
)
def test_every_sample_is_seen_once_before_any_is_seen_again(size, samples, laps, seed):
    seed %= 2**64
    epochs = -(-size * laps // samples)
    order = np.concatenate([epoch_order(size, e, samples, seed) for e in range(epochs)])
    for lap in range(laps):
        assert sorted(order[lap * size : (lap + 1) * size]) == list(range(size))


def test_an_epoch_is_the_same_whether_or_not_those_before_it_were_asked_for():
    assert np.array_equal(epoch_order(1000, 7, 300, 5), epoch_order(1000, 7, 300, 5))
    assert not np.array_equal(epoch_order(1000, 7, 300, 5), epoch_order(1000, 7, 300, 6))


def test_batches_hold_the_samples_of_the_order_in_that_order(tmp_path):
    order = epoch_order(36_000, 0, 100, 1)
    with glyph_feed(16, tmp_path) as feed:
        for _ in range(2):  # a feed serves many epochs
            got = [(x.numpy(), y.numpy()) for x, y in feed.batches(order)]
            wanted = Glyphs().read("train", order[:96].tolist(), RGB32)
            assert np.array_equal(np.concatenate([x for x, _ in got]), wanted.inputs)
            assert np.array_equal(np.concatenate([y for _, y in got]), wanted.labels)


def test_a_feed_left_in_the_middle_many_times_still_serves_the_next_order(tmp_path):
    with glyph_feed(8, tmp_path) as feed:
        for epoch in range(12):
            left = feed.batches(epoch_order(1000, epoch, 80, 1))
            next(left)
            left.close()
        assert sum(1 for _ in feed.batches(epoch_order(1000, 1, 80, 1))) == 10


def test_a_sample_that_cannot_be_read_stops_the_feed_with_its_error(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.full((20, 4), TOO_LARGE), y=np.arange(20) % 2)
    dataset = open_dataset(tmp_path / "data.npz")
    (tmp_path / "slots").mkdir()
    spec = InputSpec("x", "float32", (4,))
    with (
        Feed(ReadAhead(dataset, [spec], 4, scratch=tmp_path / "slots"), 4) as feed,
        pytest.raises(DataError, match="NaN or infinite"),
    ):
        list(feed.batches(np.arange(8)))


def test_a_bad_sample_late_in_an_epoch_is_told_though_batches_are_asked_for_after_it(tmp_path):
    values = np.ones((200, 4))
    values[150] = TOO_LARGE
    np.savez(tmp_path / "data.npz", x=values, y=np.arange(200) % 2)
    dataset = open_dataset(tmp_path / "data.npz")
    assert dataset.size("train") > 40
    (tmp_path / "slots").mkdir()
    spec = InputSpec("x", "float32", (4,))
    source = ReadAhead(dataset, [spec], 4, scratch=tmp_path / "slots")
    with Feed(source, 4) as feed, pytest.raises(DataError, match="NaN or infinite"):
        list(feed.batches(np.arange(dataset.size("train"))))


def test_the_error_of_a_later_sample_arrives_as_it_was_raised(tmp_path):
    image_folder(tmp_path / "pets")
    for path in (tmp_path / "pets" / "cat").iterdir():
        path.write_bytes(b"no picture")
    dataset = open_dataset(tmp_path / "pets")
    cats, dogs = (np.flatnonzero(dataset.labels("train") == label) for label in (0, 1))
    (tmp_path / "slots").mkdir()
    source = ReadAhead(dataset, [RGB32], 2, scratch=tmp_path / "slots")
    with Feed(source, 2) as feed:
        batches = feed.batches(np.array([*dogs[:4], *cats[:2]]))
        first = next(batches)
        with pytest.raises(DataError, match=r"\.png: not a readable picture"):
            list(batches)
    assert first[0].shape == (2, 32, 32, 3)


def image_folder(root, per_class=12):
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return open_dataset(root)


def test_a_split_that_fits_is_decoded_once_and_served_in_the_order_asked(tmp_path):
    dataset = image_folder(tmp_path / "pets")
    order = epoch_order(dataset.size("train"), 0, 12, 3)
    wanted = dataset.read("train", order.tolist(), RGB32)
    source = open_source(dataset, [RGB32], 4, scratch=tmp_path)
    for path in (tmp_path / "pets").rglob("*.png"):
        path.unlink()  # nothing is decoded any more
    with Feed(source, 4) as feed:
        got = list(feed.batches(order))
    assert np.array_equal(np.concatenate([x for x, _ in got]), wanted.inputs)
    assert np.array_equal(np.concatenate([y for _, y in got]), wanted.labels)


def test_a_data_set_without_end_does_not_fit():
    assert not fits([RGB32], Glyphs().size("train"))
    assert fits([RGB32], 360)


@pytest.mark.parametrize("costly", [True, False])
def test_some_of_a_split_are_balanced_and_the_same_each_time(costly, tmp_path):
    dataset = image_folder(tmp_path / "pets")
    dataset.costly = costly
    wanted = dataset.read("train", dataset.choose("train", 8), RGB32)
    assert np.bincount(wanted.labels).tolist() == [4, 4]
    (tmp_path / "slots").mkdir()
    source = open_source(dataset, [RGB32], 4, count=8, scratch=tmp_path / "slots")
    assert isinstance(source, Stored) == costly
    with Feed(source, 4) as feed:
        got = list(feed.batches(np.arange(8)))
    assert np.array_equal(np.concatenate([x for x, _ in got]), wanted.inputs)
    assert np.array_equal(np.concatenate([y for _, y in got]), wanted.labels)


def test_augmentation_belongs_to_the_step_so_a_resumed_epoch_is_the_same():
    inputs = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    augment = augmenter_for(ImageAugmentation(rotate=20, mixup=0.5), RGB32, 2)
    order = epoch_order(40, 0, 40, 0)

    def run(order, first_step, seed=2**32 - 1):
        with Feed(Stored(inputs, np.arange(40) % 2), 8, augment=augment, seed=seed) as feed:
            return [(x.numpy(), y.numpy()) for x, y in feed.batches(order, first_step)]

    whole = run(order, 5)
    resumed = run(order[16:], 7)
    assert len(whole) == 5
    for (x, y), (again_x, again_y) in zip(whole[2:], resumed, strict=True):
        assert np.array_equal(x, again_x)
        assert np.array_equal(y, again_y)
    assert not np.array_equal(whole[0][0], run(order, 6)[0][0])
    assert not np.array_equal(whole[0][0], run(order, 5, seed=1)[0][0])


def test_each_of_several_processes_takes_its_part_of_every_batch():
    labels = np.arange(24)
    parts = []
    for number in range(2):
        with Feed(Stored(np.zeros((24, 3)), labels), 6, part=(number, 2)) as feed:
            parts.append([y.numpy() for _, y in feed.batches(labels)])
    assert [len(batch) for batch in parts[0]] == [3] * 4
    together = [sorted([*a, *b]) for a, b in zip(*parts, strict=True)]
    assert together == labels.reshape(4, 6).tolist()


def test_of_several_inputs_a_batch_is_a_tuple(tmp_path):
    number = np.arange(40, dtype=np.float32)
    arrays = {"x.pair": np.stack([number, -number], axis=1), "x.step": number, "y": np.arange(40)}
    np.savez(tmp_path / "two.npz", **arrays)
    dataset = open_dataset(tmp_path / "two.npz")
    specs = [InputSpec("pair", "float32", (2,)), InputSpec("step", "float32", ())]
    order = epoch_order(dataset.size("train"), 0, 16, 1)
    (tmp_path / "slots").mkdir()
    with Feed(open_source(dataset, specs, 4, scratch=tmp_path / "slots"), 4) as feed:
        got = list(feed.batches(order))
    assert len(got) == 4
    for (pair, step), labels in got:
        assert (pair.shape, step.shape) == ((4, 2), (4,))
        assert np.array_equal(pair.numpy(), np.stack([step, -step], axis=1))
        assert np.array_equal(step.numpy(), labels.numpy())
