"""Tracking with a detector that finds bright squares: an ONNX file of five operators."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgekit.artifact import Artifact, describe_files, write_manifest
from edgekit.errors import ArtifactError, DataError, FileError, UsageError
from edgekit.manifest import Manifest, Parity
from edgekit.measuring.contenders import Asked
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo
from edgekit.verbs import track as verb
from edgekit.verbs.track import track
from edgekit.watching import around

SIDE, WINDOW, STRIDE = 48, 8, 2
PLACES = (SIDE - WINDOW) // STRIDE + 1


def artifact_of(folder, graph, *, outputs, shape=(SIDE, SIDE, 3), resize="letterbox"):
    import onnx
    from onnx import helper

    folder.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    spec = InputSpec("image", "uint8", shape, "HWC", resize=resize)
    manifest = Manifest(
        key="0" * 64,
        model=folder.parent.name,
        dataset=None,
        target="onnx",
        precision="fp32",
        io="native",
        chain=("keras", "onnx"),
        runtime="onnxruntime",
        model_file="model.onnx",
        files=describe_files(folder),
        inputs=(TensorInfo("image", "uint8", (1, *shape)),),
        outputs=outputs,
        activation="",
        preprocessing=(spec,),
        ops={},
        dtypes={},
        calibration=None,
        evaluation=None,
        parity=Parity(0.0, 1.0, 1),
        metric=None,
    )
    write_manifest(folder, manifest)
    return Artifact.open(folder).path


def constant(name, array):
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(array), name)


@pytest.fixture
def detector(tmp_path):
    """A place every two pixels, with a box of 8 pixels; its logit grows with the brightness."""
    from onnx import TensorProto, helper

    count = PLACES**2
    y, x = np.divmod(np.arange(count), PLACES)
    corner = np.stack([x, y, x, y], 1) * STRIDE + np.array([0, 0, WINDOW, WINDOW])
    boxes = (corner[None] / SIDE).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["t"], ["grey"], axes=[1], keepdims=1),
        helper.make_node(
            "AveragePool",
            ["grey"],
            ["mean"],
            kernel_shape=[WINDOW] * 2,
            strides=[STRIDE] * 2,
        ),
        helper.make_node("Reshape", ["mean", "form"], ["rows"]),
        helper.make_node("Sub", ["rows", "middle"], ["scores"]),
        helper.make_node("Identity", ["all"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, count, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, count, 1]),
        ],
        [
            constant("form", np.array([1, count, 1])),
            constant("middle", np.float32(180)),
            constant("all", boxes),
        ],
    )
    outputs = (
        TensorInfo("boxes", "float32", (1, count, 4)),
        TensorInfo("scores", "float32", (1, count, 1)),
    )
    return artifact_of(tmp_path / "squares" / "onnx-fp32", graph, outputs=outputs)


@pytest.fixture
def embedding(tmp_path):
    """The mean colour of a picture, less grey."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["mean", "black"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 16, 16, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 3])],
        [constant("black", np.float32(20))],
    )
    outputs = (TensorInfo("embedding", "float32", (1, 3)),)
    return artifact_of(
        tmp_path / "colours" / "onnx-fp32",
        graph,
        outputs=outputs,
        shape=(16, 16, 3),
        resize="bilinear",
    )


RED, BLUE = (255, 255, 120), (120, 255, 255)


def film(folder, ways, *, frames=16, scale=2, hidden=(), truth=True):
    """Squares of 8 detector pixels on black, in frames twice as wide as high: letterboxed."""
    (folder / "img1").mkdir(parents=True)
    lines = []
    for time in range(frames):
        image = np.full((SIDE * scale // 2, SIDE * scale, 3), 20, np.uint8)
        for identity, (colour, way) in enumerate(ways, 1):
            x, y = (round(part * scale) for part in way(time))
            if (identity, time) in hidden:
                continue
            side = WINDOW * scale
            image[y : y + side, x : x + side] = colour
            lines.append(f"{time + 1},{identity},{x + 1},{y + 1},{side},{side},1,-1,-1\n")
        Image.fromarray(image).save(folder / "img1" / f"{time:04}.png")
    if truth:
        (folder / "gt").mkdir()
        (folder / "gt" / "gt.txt").write_text("".join(lines))
    return folder


def straight(time):
    return 2 + 2 * time, 2


def back(time):
    return 38 - 2 * time, 14


@pytest.fixture
def two(tmp_path):
    return film(tmp_path / "two", [(RED, straight), (BLUE, back)])


@pytest.mark.parametrize("tracker", ["kalman", "sort"])
def test_two_squares_are_followed_through_a_letterbox_to_the_pixel(detector, two, tracker):
    found = track([Asked(detector)], video=two, tracker=tracker)
    (row,) = found.rows
    assert found.failures == {}
    assert row.frames == 16
    assert row.videos[0].objects == 32
    assert row.figures.switches == row.figures.false_positives == 0
    # Those who wait for the third frame miss two squares in each of the first two.
    assert row.figures.misses == (4 if tracker == "kalman" else 0)
    assert row.figures.objects == 32
    assert row.detector_ms > 0
    assert row.tracker_ms > 0
    last = row.videos[0].tracks[-1]
    assert np.abs(last.boxes - np.array([[64, 4, 80, 20], [16, 28, 32, 44]])).max() < 2


def test_deepsort_knows_squares_by_their_colours_where_sort_counts_them_anew(
    detector, embedding, tmp_path
):
    # For five frames nothing is seen of either.
    hidden = {(identity, time) for identity in (1, 2) for time in range(7, 12)}
    ways = [(RED, lambda _: (16, 2)), (BLUE, lambda _: (30, 2))]
    video = film(tmp_path / "hidden", ways, hidden=hidden, frames=20)
    kept = track([Asked(detector)], video=video, tracker="deepsort", embedding=Asked(embedding))
    assert (kept.rows[0].figures.switches, kept.rows[0].videos[0].identities) == (0, 2)
    assert kept.rows[0].embedding_ms > 0
    lost = track([Asked(detector)], video=video, tracker="sort")
    assert (lost.rows[0].figures.switches, lost.rows[0].videos[0].identities) == (2, 4)


def test_tracks_are_written_as_motchallenge_has_them_and_read_as_a_truth(detector, two, tmp_path):
    out = tmp_path / "tracks.csv"
    found = track([Asked(detector)], video=two, out=out)
    assert found.written == (out,)
    rows = np.loadtxt(out, delimiter=",")
    assert rows.shape == (32, 10)
    assert rows[:2, 0].tolist() == [1, 1]
    assert rows[0, 2:6] == pytest.approx([5, 5, 16, 16], abs=0.5)  # pixels from 1 on
    (two / "gt" / "gt.txt").write_text(out.read_text())
    again = track([Asked(detector)], video=two)
    assert (again.rows[0].figures.mota, again.rows[0].figures.idf1) == (100.0, 100.0)


def test_without_a_truth_there_are_tracks_and_no_figures(detector, tmp_path):
    video = film(tmp_path / "plain", [(RED, straight)], truth=False)
    (row,) = track([Asked(detector)], video=video / "img1").rows
    assert row.figures is None
    assert row.videos[0].identities == 1


def test_drawn_videos_bring_their_truth_and_several_files(detector, tmp_path):
    found = track([Asked(detector)], videos=2, threshold=0.9, out=tmp_path / "drawn.csv")
    (row,) = found.rows
    assert [video.name for video in row.videos] == ["test-0000", "test-0001"]
    assert row.frames == 160
    assert row.figures.objects == sum(video.figures.objects for video in row.videos) > 300
    assert [path.name for path in found.written] == ["drawn-test-0000.csv", "drawn-test-0001.csv"]


def test_what_cannot_be_is_refused(detector, embedding, two, tmp_path):
    for arguments, complaint in (
        ({"tracker": "deepsort"}, "deepsort asks what boxes look like"),
        ({"embedding": Asked(embedding)}, "sort doesn't ask"),
        ({"video": tmp_path / "none"}, "no such video"),
        ({"tracker": "srot"}, "unknown tracker"),
    ):
        with pytest.raises(UsageError, match=complaint):
            track([Asked(detector)], **{"video": two, **arguments})
    with pytest.raises(ArtifactError, match="no vector for a picture"):
        track([Asked(detector)], video=two, tracker="deepsort", embedding=Asked(detector))
    (tmp_path / "empty").mkdir()
    failed = track([Asked(detector)], video=tmp_path / "empty")
    assert isinstance(failed.failures["squares onnx-fp32"], DataError)


def test_a_network_without_boxes_takes_nothing_from_the_others(detector, embedding, two):
    found = track([Asked(detector), Asked(embedding)], video=two)
    assert len(found.rows) == 1
    (error,) = found.failures.values()
    assert isinstance(error, ArtifactError)
    assert "no boxes with scores" in error.message


def test_tracks_never_replace_the_truth_they_are_judged_by(detector, two):
    truth = two / "gt" / "gt.txt"
    kept = truth.read_text()
    with pytest.raises(UsageError, match="inside the video's own folder"):
        track([Asked(detector)], video=two, out=truth)
    assert truth.read_text() == kept


def test_a_place_that_cannot_be_written_is_told_before_the_work(two, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        track([Asked(tmp_path / "nowhere")], video=two, out=tmp_path / "file" / "tracks.csv")


def test_tracks_do_not_go_into_a_picture(detector, two, tmp_path):
    with pytest.raises(UsageError, match=r"tracks\.png: tracks are text"):
        track([Asked(detector)], video=two, out=tmp_path / "tracks.png")
    assert not (tmp_path / "tracks.png").exists()


def test_a_truth_without_any_object_gives_no_figures(detector, two):
    (two / "gt" / "gt.txt").write_text("")
    (row,) = track([Asked(detector)], video=two).rows
    assert row.figures is None


def test_a_square_around_a_box_goes_on_beyond_the_edge():
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    part = around(image, np.array([2.0, 1.0, 6.0, 3.0]), times=1.0)
    assert np.array_equal(part, image[0:4, 2:6])
    part = around(image, np.array([-2.0, 0.0, 2.0, 4.0]), times=1.0)
    assert np.array_equal(part[:, :3], image[0:4, [0, 0, 0]])
    assert around(image, np.array([1.0, 1.0, 1.2, 1.2])).shape == (1, 1, 3)


def test_a_device_that_measures_no_time_still_tracks(detector, two, monkeypatch):
    monkeypatch.setattr("edgekit.transports.local.LocalTransport.no_latency", "emulated")
    (row,) = track([Asked(detector)], video=two).rows
    assert row.detector_ms is None
    assert row.figures.objects == 32


def test_the_names_of_trackers_are_those_of_the_command():
    from edgekit.cli.track import _TRACKERS

    assert tuple(verb.TRACKERS) == _TRACKERS
