"""Bundles of a sound model: the same sounds give the same in Python, in a browser and in C++."""

from __future__ import annotations

import base64
import json
import shutil

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.packaged.runtimes import load
from edgekit.datasets.wav import read_wav
from tests.bundles import tones
from tests.bundles.test_cpp import run
from tests.bundles.test_web import facts_of, result_of, wait_for
from tests.pages import violations

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

# Of an output's spread over all sounds: float32 in another order of sums.
CLOSE = 1e-6


@pytest.fixture(scope="session")
def sound_artifacts(made_once):
    folder = made_once("tones", tones.make_artifacts) / "tones"
    return {target: Artifact.open(folder / f"{target}-fp32") for target in tones.TARGETS}


@pytest.fixture(scope="session")
def thousand():
    return tones.thousand_wavs()


@pytest.fixture(scope="session")
def by_python(sound_artifacts, thousand):
    """Target → logits [1000, 3] of its runtime in Python."""

    def outputs(artifact):
        file = artifact.path / artifact.manifest.model_file
        model = load(artifact.target, file, 1, ["logits"])
        sounds = (read_wav(one, tones.LENGTH, tones.RATE, name="it") for one in thousand)
        return np.concatenate([model({"sound": one[None]})[0] for one in sounds])

    return {target: outputs(artifact) for target, artifact in sound_artifacts.items()}


def apart(found, wanted):
    """The largest difference, as a part of the spread of what is wanted."""
    part = float(np.abs(np.asarray(found) - wanted).max() / (wanted.max() - wanted.min()))
    print(f"at most {part:.2g} of the spread apart")
    return part


def test_python_s_runtimes_agree_on_a_thousand_sounds(by_python):
    wanted = by_python["tflite"]
    assert len(set(wanted.argmax(axis=1))) == 3
    for target in tones.TARGETS:
        assert apart(by_python[target], wanted) <= CLOSE


# -- web -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound_app(app, sound_artifacts, tmp_path_factory):
    # `app` skips where there is nothing to compute with.
    out = tmp_path_factory.mktemp("sounds") / "app"
    both = [sound_artifacts["tflite"], sound_artifacts["onnx"]]
    make_bundle(both, Order("tones", "1.0.0", "web", task="audio-classification"), out)
    return out


@pytest.fixture(scope="module")
def sound_address(sound_app, serving):
    with serving(sound_app) as server:
        yield server.address


HEAR = """
async ({ files, label }) => {
  const { Bundle } = await import("/app/verify.js");
  const { Model } = await import("/app/model.js");
  const { readWav, wave } = await import("/app/sounds.js");
  const model = await Model.open(await Bundle.open(location.origin + "/"), { artifact: label });
  const [spec] = model.contract.inputs;
  const made = [];
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (one) => one.charCodeAt(0));
    const sound = wave(readWav(bytes, spec.length, spec.rate_hz), spec);
    const { outputs } = await model.run({ [spec.name]: sound });
    made.push(Array.from(outputs[0].array));
  }
  model.close();
  return made;
}
"""


@pytest.mark.browser
@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_a_browser_hears_in_a_thousand_sounds_what_python_does(
    browser, sound_address, by_python, thousand, target
):
    page = browser.new_page()
    page.goto(sound_address + "contract.json")  # any document of that origin
    files = [base64.b64encode(one).decode() for one in thousand]
    found = page.evaluate(HEAR, {"files": files, "label": f"{target}-fp32"})
    page.close()
    assert np.shape(found) == (1000, 3)
    assert apart(found, by_python[target]) <= CLOSE


@pytest.mark.browser
@pytest.mark.parametrize("label", ["tflite-fp32", "onnx-fp32"])
def test_golden_cases_of_sound_hold_in_a_browser(opened, sound_app, sound_address, label):
    found = result_of(opened(f"?check&artifact={label}", address=sound_address))
    assert found["mismatches"] == []
    cases = json.loads((sound_app / "golden" / "cases.json").read_text())["cases"]
    assert found["outputs"] == found["answers"] == len(cases)
    assert found["sounds"] == 8


def send(page, data, mime="audio/wav"):
    page.set_input_files("#soundfile", {"name": "s.wav", "mimeType": mime, "buffer": data})


@pytest.mark.browser
def test_a_file_of_any_rate_is_heard_and_resampling_is_said(opened, sound_address):
    page = opened(address=sound_address)
    draw = np.random.default_rng(2)
    for hertz, rate, told in (
        (200, 8000, "0.13 s at 8,000 Hz"),
        (1800, 44100, "0.13 s at 8,000 Hz, resampled by this browser"),
    ):
        send(page, tones.as_wav(tones.tone(draw, hertz, rate, rate=rate), rate=rate))
        page.locator("#rate").filter(has_text=told).wait_for()
        name = next(name for name, one in tones.HERTZ.items() if one == hertz)
        assert page.locator("#results .name").first.inner_text() == name
        assert page.locator("#rate").inner_text() == told
    send(page, b"no sound")
    page.get_by_role("alert").wait_for()
    assert "no sound that this browser reads" in page.get_by_role("alert").inner_text()


@pytest.mark.browser
def test_the_microphone_is_heard_for_as_long_as_the_model_takes(opened, sound_address):
    page = opened(address=sound_address)
    page.get_by_role("button", name="Microphone").click()
    wait_for(page, "#results li")
    assert page.locator("#rate").inner_text().startswith("0.13 s at 8,000 Hz")
    assert page.get_by_role("button", name="Microphone").get_attribute("aria-pressed") == "false"
    assert "sound 1000" in facts_of(page)["Takes"]
    assert violations(page, least=15) == []


# -- C++ -------------------------------------------------------------------------------------------

needs_cpp = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("g++")),
    reason="no cmake or g++ here; apt-get install cmake g++ make",
)


@pytest.fixture(scope="module")
def sound_bundle(sound_artifacts, tmp_path_factory):
    """The project is another's, under another name: what it does is data."""
    out = tmp_path_factory.mktemp("sounds") / "cpp"
    make_bundle(list(sound_artifacts.values()), Order("tones", "1.0.0", "cpp"), out)
    return out


@pytest.fixture(scope="module")
def files(thousand, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wavs")
    for number, data in enumerate(thousand):
        (folder / f"{number:03}.wav").write_bytes(data)
    return sorted(folder.iterdir())


@needs_cpp
@pytest.mark.parametrize("target", tones.TARGETS)
def test_a_thousand_sounds_and_golden_cases_give_in_cpp_what_they_give_in_python(
    cpp_app, sound_bundle, by_python, files, target
):
    said = run(cpp_app, sound_bundle, f"{target}-fp32", *files).splitlines()
    assert said.pop(0) == f"3 classes, 20 cases, {target}-fp32"
    found = [[float(number) for number in line.split()] for line in said]
    # OpenVINO computes all three, and each is near what its own runtime gives in Python.
    assert np.shape(found) == (1000, 3)
    assert apart(found, by_python[target]) <= CLOSE


@needs_cpp
def test_another_rate_and_what_is_no_sound_are_one_line(cpp_built, sound_bundle, tmp_path):
    program = cpp_built / "build" / "known_glyphs_cli"
    low = tones.as_wav(tones.tone(np.random.default_rng(2), 200, 1200))
    (tmp_path / "low.wav").write_bytes(low)
    said = run(program, "--bundle", sound_bundle, tmp_path / "low.wav")
    assert said.startswith(f"{tmp_path}/low.wav  low  ")
    (tmp_path / "fast.wav").write_bytes(tones.as_wav(np.zeros(9), rate=44100))
    (tmp_path / "none.wav").write_bytes(b"RIFF")
    for name, told in (("fast", "44100 Hz; the model takes 8000 Hz"), ("none", "no WAV file")):
        file = tmp_path / f"{name}.wav"
        said = run(program, "--bundle", sound_bundle, file, status=1)
        assert said == f"error: {file}: {told}\n"
