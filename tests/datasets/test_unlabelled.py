from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets.unlabelled import LoosePictures, open_samples
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "float32", (3, 4, 4), "CHW", range=(0.0, 1.0), resize="bilinear")


def picture(path, colour=(255, 0, 51)):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path)


def test_pictures_that_lie_loose_are_samples_without_labels(tmp_path):
    for index in range(40):
        picture(tmp_path / f"{index}.png")
    found = open_samples(tmp_path)
    assert isinstance(found, LoosePictures)
    assert found.classes == ()
    assert sum(found.size(split) for split in ("train", "validation", "test")) == 40
    assert found.size("train") > found.size("test") > 0
    samples = found.read("train", [0, 1], SPEC)
    assert samples.labels is None
    np.testing.assert_allclose(samples.inputs[0, :, 0, 0], [1.0, 0.0, 0.2])


def test_class_folders_keep_their_labels_unless_told_otherwise(tmp_path):
    for name in ("cat", "dog"):
        for index in range(8):
            picture(tmp_path / name / f"{index}.png")
    assert open_samples(tmp_path).classes == ("cat", "dog")
    found = open_samples(tmp_path, labelled=False)
    assert found.classes == ()
    assert not found.is_labelled("train")
    assert found.read("train", [0], SPEC).labels is None


def test_labels_that_do_not_count_change_the_fingerprint(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((20, 4)), y=np.zeros(20, np.int64))
    with_labels, without = (
        open_samples(tmp_path / "x.npz", labelled=labelled) for labelled in (True, False)
    )
    assert with_labels.fingerprint() != without.fingerprint()


def test_an_empty_folder_is_refused_as_ever(tmp_path):
    with pytest.raises(DataError, match="no class folders"):
        open_samples(tmp_path)
