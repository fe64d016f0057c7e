from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from edgekit import shelf
from edgekit.cli.devices import command as devices_command
from edgekit.cli.models import command as models_command
from edgekit.errors import DeviceError, ModelError, UsageError
from edgekit.verbs import listing

TOML = """
name = "{name}"
summary = "A tiny classifier."
task = "image-classification"
datasets = ["glyphs", "flowers"]
[parameters]
width = 0.5
[[inputs]]
name = "image"
dtype = "uint8"
shape = [8, 8, 3]
layout = "HWC"
"""


@pytest.fixture
def models(monkeypatch, tmp_path):
    """A shelf with one good model and one whose file is broken."""
    for name, text in {"tiny": TOML.format(name="tiny"), "broken": "name = 3"}.items():
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.toml").write_text(text)
        (folder / "model.py").write_text("")
    good = tmp_path / "models" / "tiny"
    (good / "own.weights.h5").write_bytes(b"x" * 30)
    (good / "glyphs.weights.h5").write_bytes(b"x" * 20)
    monkeypatch.setattr(shelf, "shelves", lambda: ([tmp_path], []))
    return tmp_path / "models"


@pytest.fixture
def devices(monkeypatch, tmp_path):
    """A shelf with device profiles, each given by its text."""
    folder = tmp_path / "devices"
    folder.mkdir()
    monkeypatch.setattr(shelf, "shelves", lambda: ([tmp_path], []))

    def write(**profiles):
        for name, text in profiles.items():
            (folder / f"{name}.toml").write_text(text)
        return folder

    return write


def test_a_model_lists_its_parameters_and_checkpoints_default_first(models):
    entry = listing.describe_model("tiny")
    assert entry.to_json()["parameters"] == {"width": 0.5}
    assert entry.to_json()["checkpoints"] == [
        {"dataset": "glyphs", "bytes": 20},
        {"dataset": "own", "bytes": 30},
    ]


def test_a_broken_model_is_reported_beside_the_others(models):
    found = listing.list_models()
    assert [entry.spec.name for entry in found.models] == ["tiny"]
    assert ["broken" in str(error) for error in found.broken] == [True]


def test_a_model_is_described_by_the_path_of_its_folder_too(models):
    assert listing.describe_model(str(models / "tiny")).folder == models / "tiny"


def test_parameters_can_be_tried(models):
    entry = listing.describe_model("tiny", {"width": 1.0})
    assert entry.spec.parameters == {"width": 1.0}


def test_an_unknown_model_and_a_broken_one_are_errors_when_asked_for(models):
    with pytest.raises(UsageError, match="unknown model 'tony'"):
        listing.describe_model("tony")
    with pytest.raises(ModelError, match="expected str, found 3"):
        listing.describe_model("broken")


def test_the_models_command_prints_a_table_and_warns_of_the_broken_one(models):
    done = CliRunner().invoke(models_command, [])
    assert done.exit_code == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("tiny"))
    assert row.split() == [
        "tiny", "image-classification", "—", "—", "glyphs,", "own", "0.00", "MB", "top1",
    ]  # fmt: skip
    assert done.stderr.startswith("warning: ")
    assert "broken" in done.stderr


def test_the_models_command_prints_json(models):
    document = json.loads(CliRunner().invoke(models_command, ["--json"]).stdout)
    assert [model["name"] for model in document["models"]] == ["tiny"]
    one = json.loads(CliRunner().invoke(models_command, ["tiny", "--json"]).stdout)
    assert one == document["models"][0]


def test_one_model_is_described_in_full():
    shown = CliRunner().invoke(models_command, ["mobilenet"]).stdout
    for label in ("task", "parameters", "input image", "metric", "gate", "folder"):
        assert label in shown


def test_this_machine_is_reachable_and_lists_its_runtimes():
    entry = listing.describe_device("local-cpu")
    assert entry.problem is None
    assert "litert" in entry.runtimes


def test_what_cannot_be_reached_or_read_does_not_hide_the_others(devices):
    devices(
        here='transport = "local"',
        wrong='transport = "local"\n[require]\nmachine = "pdp-11"',
        gone='transport = "carrier-pigeon"',
        damaged="transport = ",
    )
    found = listing.list_devices()
    problems = {entry.profile.name: str(entry.problem or "") for entry in found.devices}
    assert problems["here"] == ""
    assert "required pdp-11" in problems["wrong"]
    assert "unknown transport 'carrier-pigeon'" in problems["gone"]
    assert ["damaged.toml" in str(error) for error in found.broken] == [True]


def test_a_transport_that_raises_anything_is_an_answer_not_a_crash(devices, monkeypatch):
    class Broken:
        @classmethod
        def from_profile(cls, profile):
            raise RuntimeError("no cable")

    devices(here='transport = "local"')
    monkeypatch.setattr("edgekit.registry.load", lambda group, name: Broken)
    entry = listing.describe_device("here")
    assert str(entry.problem) == "local: RuntimeError: no cable"


def test_a_device_is_described_by_the_path_of_its_file_too(devices):
    folder = devices(here='transport = "local"')
    assert listing.describe_device(str(folder / "here.toml")).profile.name == "here"
    with pytest.raises(DeviceError, match="no such device profile"):
        listing.describe_device(str(folder / "nowhere.toml"))


def test_the_devices_command_prints_a_row_a_device(devices):
    absent = '[runtime]\nprefer = ["onnxruntime"]\ndelegate = "qnn"'
    devices(here='transport = "local"\nsummary = "this one"', away=f'transport = "local"\n{absent}')
    done = CliRunner().invoke(devices_command, ["--quiet"])
    row = next(line for line in done.stdout.splitlines() if line.startswith("here"))
    assert row.endswith("this one")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("reachable now")
    beyond = next(number for number, line in enumerate(lines) if line.startswith("not reachable"))
    (missing,) = [line for line in lines[beyond:] if line.startswith("away")]
    assert "delegate 'qnn' is not present" in missing
    assert "it needs a Snapdragon" in missing
    document = json.loads(CliRunner().invoke(devices_command, ["--json"]).stdout)
    assert [one["reachable"] for one in document["devices"]] == [False, True]
