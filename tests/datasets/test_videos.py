"""Folders of pictures as videos, with and without a truth."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets.videos import DrawnVideo, open_videos
from edgekit.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "MOT-99"
    (place / "img1").mkdir(parents=True)
    for number in (2, 0, 1):
        pixels = np.full((4, 6, 3), number * 50, np.uint8)
        Image.fromarray(pixels).save(place / "img1" / f"{number:06}.png")
    return place


def opened(place):
    return open_videos(place, split="test", count=1, size=(8, 8))


def test_frames_come_in_the_order_of_their_names_at_their_own_size(folder):
    (video,) = opened(folder)
    assert (video.name, len(video)) == ("MOT-99", 3)
    for _ in range(2):  # and can be read again
        assert [shot.image[0, 0, 0] for shot in video] == [0, 50, 100]
    assert all(shot.image.shape == (4, 6, 3) and shot.boxes is None for shot in video)


def test_a_truth_is_read_pixels_from_one_and_lines_that_do_not_count_left_out(folder):
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text(
        "1,7,1,1,2,3,1,1,1\n\n3,7,2,1,2,3,1,1,0.4\n3,9,1,1,6,4,0,8,1\n3,4,1,1,1,1\n"
    )
    shots = list(opened(folder)[0])
    assert [shot.identities.tolist() for shot in shots] == [[7], [], [7, 4]]
    assert shots[0].boxes.tolist() == [[0, 0, 2, 3]]
    assert shots[1].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,7,1,1,2", "line 1: '1,7,1,1,2' is none of a truth"),
        ("1,7,1,one,2,3", "none of a truth"),
        ("1,7,1,nan,2,3", "none of a truth"),
        ("1,7,1,1,-2,3", "line 1: a box of -2 × 3 pixels"),
        ("4,7,1,1,2,3", "line 1: there is no frame 4; there are 3"),
        ("0,7,1,1,2,3", "no frame 0"),
        ("1,7,1,1,2,3\n1,7,1,1,2,3", "line 2: 7 is in frame 1 already"),
    ],
)
def test_a_truth_that_cannot_be_is_refused_with_its_line(folder, line, complaint):
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text(line)
    with pytest.raises(DataError, match=r"gt\.txt: line") as caught:
        opened(folder)
    assert complaint in caught.value.message


def test_what_is_no_video_is_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in it"):
        opened(tmp_path / "empty")
    with pytest.raises(UsageError, match="no such video"):
        opened(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="unknown split 'tset'"):
        open_videos("glyph-videos", split="tset", count=1, size=(8, 8))
    (folder / "img1" / "000003.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"000003\.png: an empty file"):
        list(opened(folder)[0])


def test_drawn_videos_have_boxes_in_pixels_of_the_size_that_is_asked_for():
    videos = open_videos("glyph-videos", split="train", count=2, size=(48, 96))
    assert [video.name for video in videos] == ["train-0000", "train-0001"]
    assert isinstance(videos[0], DrawnVideo)
    shot = next(iter(videos[1]))
    assert shot.image.shape == (48, 96, 3)
    assert shot.boxes[:, 2].max() > 48
    assert shot.boxes.shape == (len(shot.identities), 4)
