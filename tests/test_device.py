from __future__ import annotations

import pytest

from edgekit.device import DeviceProfile, TimingRules, read_device_toml
from edgekit.errors import DeviceError

WHOLE = """
summary = "Raspberry Pi 5, 8 GB, active cooler"
transport = "ssh"
[runtime]
prefer = ["onnxruntime", "tflite-runtime"]
threads = 4
delegate = "xnnpack"
[timing]
rounds = 9
seconds = 1.5
warmup = 30
cooldown_s = 30.0
[require]
cpu_governor = "performance"
"""
DELEGATE = 'transport = "local"\n[runtime]\ndelegate = "cuda"\n'


def write(tmp_path, text):
    path = tmp_path / "board.toml"
    path.write_text(text)
    return path


def test_a_profile_is_read_whole(tmp_path):
    path = write(tmp_path, WHOLE)
    assert read_device_toml(path) == DeviceProfile(
        name="board",
        summary="Raspberry Pi 5, 8 GB, active cooler",
        transport="ssh",
        prefer=("onnxruntime", "tflite-runtime"),
        threads=4,
        delegate="xnnpack",
        timing=TimingRules(rounds=9, seconds=1.5, warmup=30, cooldown_s=30.0),
        require={"cpu_governor": "performance"},
        path=path,
    )


def test_a_transport_is_all_a_profile_needs(tmp_path):
    profile = read_device_toml(write(tmp_path, 'transport = "local"'))
    assert (profile.threads, profile.timing, profile.prefer) == (1, TimingRules(), ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the key 'transport' is missing"),
        ("transport = 3", "transport: expected text, found 3"),
        ('transport = "local"\ncolour = 1', "unknown key colour"),
        ('transport = "local"\n[timing]\nround = 1', "timing: unknown key round"),
        ('transport = "local"\n[timing]\nrounds = 0', "timing: rounds: 0 is outside 1…1000"),
        ('transport = "local"\n[runtime]\nthreads = 0', "runtime: threads: 0 is outside 1…1024"),
        ('transport = "local"\n[runtime]\nprefer = [1]', "runtime: prefer: 1 is no runtime's name"),
        ('transport = "local"\n[runtime]\nprefer = []', "runtime: prefer: 0 entries; at least 1"),
        (
            'transport = "local"\n[runtime]\nprefer = ["litert", "litert"]',
            "runtime: prefer: litert stands there twice",
        ),
        ('transport = "local"\n[runtime]\ndelegate = ""', "runtime: delegate: '' is no name"),
        ('transport = "local"\n[runtime.options]\na = 1', "options: they belong to a delegate"),
        (DELEGATE + "[runtime.options]\na = [1]", "options: a: [1] is no text, number or flag"),
        (DELEGATE + "[runtime.options]\na = nan", "options: a: nan is too long or too large"),
        (DELEGATE + '[runtime.options]\n"\\u001b" = 1', "options: '\\x1b' is no name"),
        ('transport = "local"\n[require]\nmood = "good"', "require: unknown key mood"),
        ("transport = ", "not valid TOML"),
    ],
)
def test_a_complaint_names_file_and_key(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(DeviceError) as caught:
        read_device_toml(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert complaint in caught.value.message


def test_an_absent_profile_is_one_error(tmp_path):
    with pytest.raises(DeviceError, match="no such device profile") as caught:
        read_device_toml(tmp_path / "none.toml")
    assert caught.value.hint == "edgekit devices lists those it knows"


def test_an_unknown_key_is_told_with_those_that_are_known(tmp_path):
    with pytest.raises(DeviceError) as caught:
        read_device_toml(write(tmp_path, 'transport = "local"\n[runtime]\nthread = 1'))
    assert (
        caught.value.hint == "did you mean threads? known here: delegate, options, prefer, threads"
    )


def test_an_interpreter_is_meant_from_the_profiles_folder(tmp_path):
    text = 'transport = "local"\npython = "legacy/bin/python"'
    assert read_device_toml(write(tmp_path, text)).python == str(tmp_path / "legacy/bin/python")
    text = 'transport = "local"\npython = "/opt/py/bin/python"'
    assert read_device_toml(write(tmp_path, text)).python == "/opt/py/bin/python"


def profile(**fields):
    return DeviceProfile(name="board", summary="", transport="local", **fields)


def test_the_preferred_runtime_that_can_run_the_target_is_chosen():
    device = profile(prefer=("openvino", "tflite-runtime", "litert"))
    assert device.runtime_for("tflite") == "tflite-runtime"
    assert device.runtime_for("openvino") == "openvino"
    assert device.runtime_for("onnx") == "onnxruntime"


def test_a_runtime_asked_for_that_cannot_run_the_target_is_refused():
    with pytest.raises(DeviceError, match="openvino cannot run tflite artifacts") as caught:
        profile().runtime_for("tflite", "openvino")
    assert caught.value.hint == (
        "one of: litert, tflite-runtime, litert-js, tflite-micro, vela, benchmark-model"
    )


def test_a_plug_ins_runtime_may_run_a_built_in_target():
    assert profile().runtime_for("tflite", "litert+50") == "litert+50"


def test_a_plug_ins_target_runs_in_the_runtime_that_is_named_for_it():
    assert profile(prefer=("litert", "tvm")).runtime_for("tvm") == "tvm"
    with pytest.raises(DeviceError, match="no runtime is known for tvm"):
        profile(prefer=("litert",)).runtime_for("tvm")


def test_a_device_that_is_not_what_its_profile_says_is_refused():
    device = profile(require={"cpu_governor": "performance"})
    device.check({"cpu_governor": "performance"})
    with pytest.raises(DeviceError, match="cpu_governor is powersave, required performance"):
        device.check({"cpu_governor": "powersave"})


def test_a_star_at_the_end_of_what_is_required_stands_for_anything():
    device = profile(require={"cpu_model": "Raspberry Pi 5*"})
    device.check({"cpu_model": "Raspberry Pi 5 Model B Rev 1.0"})
    for other in ("Raspberry Pi 4 Model B Rev 1.5", "A Raspberry Pi 5", None):
        with pytest.raises(DeviceError, match=r"cpu_model is .*, required Raspberry Pi 5\*"):
            device.check({"cpu_model": other})
    with pytest.raises(DeviceError, match="unavailable"):
        profile(require={"cpu_model": "*"}).check({})


def test_a_star_at_the_beginning_stands_for_anything_too():
    for wanted in ("*Intel*", "*ultra 7"):
        profile(require={"cpu_model": wanted}).check({"cpu_model": "13th Gen Intel Ultra 7"})
        with pytest.raises(DeviceError, match="cpu_model is AMD EPYC, required"):
            profile(require={"cpu_model": wanted}).check({"cpu_model": "AMD EPYC"})


def test_a_device_that_does_not_say_is_refused_too():
    device = profile(require={"cpu_governor": "performance"})
    with pytest.raises(DeviceError, match="cpu_governor is unavailable, required performance"):
        device.check({"cpu_governor": None})


def test_a_transports_own_table_is_kept_for_it_and_others_are_refused(tmp_path):
    file = tmp_path / "board.toml"
    file.write_text('transport = "ssh"\n[ssh]\nhost = "board.local"\nport = "x"\n')
    profile = read_device_toml(file)
    options = profile.option_fields()
    assert options.text("host") == "board.local"
    with pytest.raises(DeviceError, match=r"board\.toml: ssh: port: expected a whole number"):
        options.integer("port", 22, high=65_535)
    file.write_text('transport = "local"\n[ssh]\nhost = "board.local"\n')
    with pytest.raises(DeviceError, match="unknown key ssh"):
        read_device_toml(file)


def test_options_of_a_delegate_are_kept_as_they_are(tmp_path):
    text = DELEGATE + '[runtime.options]\ndevice_id = 1\nfast = true\npath = "a/b"\nshare = 0.5\n'
    found = read_device_toml(write(tmp_path, text)).delegate_options
    assert found == {"device_id": 1, "fast": True, "path": "a/b", "share": 0.5}
    assert type(found["fast"]) is bool


def test_a_mark_that_windows_editors_write_before_the_first_line_is_no_mistake(tmp_path):
    path = tmp_path / "box.toml"
    path.write_bytes(b'\xef\xbb\xbftransport = "local"\n')
    assert read_device_toml(path).transport == "local"
