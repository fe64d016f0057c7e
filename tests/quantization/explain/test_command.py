"""`edgekit explain` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def edgekit(*arguments, cwd, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "explain", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_table_has_the_sabotaged_layer_on_top_and_a_picture_is_drawn(explained, tmp_path):
    done = edgekit(
        "build/sabotaged/tflite-int8", "--model", "sabotaged.keras", "--data", "pictures.npz",
        "--samples", 8, "--top", 3, "--picture", tmp_path / "layers.svg", cwd=explained,
    )  # fmt: skip
    title, heading, _, first, *rest = done.stdout.splitlines()
    assert title.startswith("sabotaged tflite-int8: 8 layers against the float graph, 8 samples")
    assert heading.split()[:4] == ["layer", "op", "alone", "dB"]
    assert first.startswith("project")
    assert "█" in first
    assert "and 5 layers of" in done.stdout
    assert "left out, since they compute nothing real: 1 DEQUANTIZE" in done.stdout
    assert any(line.startswith("weight-outliers: ") for line in rest)
    assert "1. CONV_2D project" in (tmp_path / "layers.svg").read_text()


def test_a_model_is_linted_without_an_artifact(explained):
    done = edgekit("sabotaged.keras", "--data", "pictures.npz", "--json", cwd=explained)
    document = json.loads(done.stdout)
    assert document["model"] == "sabotaged"
    assert "artifact" not in document
    assert "weight-outliers" in {finding["rule"] for finding in document["findings"]}
    clean = edgekit("sound.keras", cwd=explained)
    assert "weight-outliers" not in clean.stdout
    assert "noise" not in clean.stderr


def test_a_sabotaged_export_warns_of_it(explained):
    document = json.loads((explained / "sabotaged.json").read_text())
    assert {"dead-channels", "weight-outliers"} & {f["rule"] for f in document["findings"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build/sound/tflite-fp32"], "a tflite file in fp32"),
        (["build/sound"], "holds 6 artifacts"),
        (["build/sound/tflite-int8"], "which is no reference model"),
        (["build/nothing/model.tflite"], "no such file"),
        (["moblenet"], "unknown model 'moblenet'"),
        (["sound.keras", "--model", "sound.keras"], "--model says what an artifact was made from"),
        (["sound.keras", "--picture", "x.gif"], "is no format for it"),
        (["sound.keras", "--data", "a", "--dataset", "b"], "both say what to compare on"),
        (["sound.keras", "--picture", "x.png"], "--picture draws the layers of an artifact"),
    ],
)
def test_what_cannot_be_explained_is_one_error_line(explained, arguments, message):
    from edgekit.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(explained)
        done = edgekit_in_process(main, arguments)
    assert message in done


def edgekit_in_process(main, arguments):
    import contextlib
    import io

    heard = io.StringIO()
    with contextlib.redirect_stderr(heard):
        assert main(["explain", *arguments]) in (1, 2)
    text = heard.getvalue()
    assert text.startswith("error: ")
    assert text.count("error:") == 1
    return text
