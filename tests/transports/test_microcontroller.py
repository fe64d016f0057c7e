"""The real tflite-micro, and files that make it abort."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.agent.runtimes.tflite_micro import ARENA_VARIABLE
from edgekit.cli import main
from edgekit.device import read_device_toml
from edgekit.errors import DeviceError, MissingExtraError, RuntimeFault
from edgekit.job import Job
from edgekit.transports.local import LocalTransport
from edgekit.transports.microcontroller import MicrocontrollerTransport
from tests.make_integer_files import adding, holding, selecting

pytest.importorskip("tflite_micro", reason="pip install -e '.[microcontroller]'")


@pytest.fixture
def job(tiny_models, tmp_path):
    """A job with three samples for a file of its own."""
    samples = np.random.default_rng(1).integers(-128, 128, (3, 8, 8, 3)).astype(np.int8)
    np.save(tmp_path / "x.npy", samples)

    def make(content=None, **changes):
        path = tmp_path / "model.tflite"
        path.write_bytes(content or (tiny_models / "int8.tflite").read_bytes())
        return Job(
            "run",
            **{
                "runtime": "tflite-micro",
                "model": str(path),
                "inputs": str(tmp_path / "x.npy"),
                "outputs": str(tmp_path / "y.npy"),
                **changes,
            },
        )

    return make


def test_a_file_runs_in_the_smallest_arena_that_loads_it(job, tmp_path):
    result = MicrocontrollerTransport().run(job())
    facts = result.environment
    assert np.load(tmp_path / "y.npy").shape == (3, 4)
    assert result.placement.executors == {"micro kernels": 3}
    assert facts["arena_bytes"] == facts["arena_smallest_bytes"]
    assert facts["arena_smallest_bytes"] % 16 == 0
    assert (
        facts["arena_tensor_bytes"] + facts["arena_persistent_bytes"]
        == (facts["arena_total_bytes"])
    )
    tight = LocalTransport(environment={ARENA_VARIABLE: str(facts["arena_smallest_bytes"] - 16)})
    with pytest.raises(RuntimeFault, match=r"cannot load model\.tflite: in an arena of"):
        tight.run(job())


def test_its_outputs_are_those_of_litert_reference_kernels_bit_for_bit(job, tmp_path):
    MicrocontrollerTransport().run(job())
    mine = np.load(tmp_path / "y.npy")
    LocalTransport().run(job(runtime="litert", delegate="reference"))
    np.testing.assert_array_equal(mine, np.load(tmp_path / "y.npy"))
    assert len(np.unique(mine)) > 1


def test_a_file_that_aborts_the_interpreter_is_one_error_and_the_next_one_runs(job, tiny_models):
    content = (tiny_models / "int8.tflite").read_bytes()
    transport = MicrocontrollerTransport()
    with pytest.raises(RuntimeFault, match=r"tflite-micro aborts on model\.tflite") as caught:
        transport.run(job(adding(content, scale=1e-12)))
    assert any("SIGABRT" in detail for detail in caught.value.details)
    assert transport.run(job()).samples == 3


def test_an_operator_it_lacks_is_named_in_its_own_words(job, tiny_models):
    content = selecting((tiny_models / "int8.tflite").read_bytes())
    with pytest.raises(RuntimeFault, match=r"Didn't find op for builtin opcode 'ATAN2'"):
        MicrocontrollerTransport().run(job(content))


def test_a_file_that_needs_more_ram_than_the_board_has_says_by_how_much(job, tmp_path):
    with pytest.raises(DeviceError) as caught:
        MicrocontrollerTransport(ram=2000, named_in="board.toml").run(job())
    needed = MicrocontrollerTransport().run(job()).environment["arena_smallest_bytes"]
    assert f"{needed:,} bytes, {needed - 2000:,} more than the board's 2,000" in str(caught.value)
    assert caught.value.limit == "microcontroller.ram in board.toml"


def test_a_file_that_is_larger_than_the_flash_is_refused_before_anything_runs(job, monkeypatch):
    def run(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("edgekit.transports.microcontroller.run_in_child", run)
    with pytest.raises(DeviceError, match=r"more than the board's 1,000") as caught:
        MicrocontrollerTransport(flash=1000).run(job())
    assert caught.value.limit.startswith("microcontroller.flash")


def test_an_arena_that_is_given_is_used_or_refused(job):
    roomy = MicrocontrollerTransport(arena=50_000).run(job()).environment
    assert roomy["arena_bytes"] == 50_000 > roomy["arena_smallest_bytes"]
    with pytest.raises(DeviceError, match="more than it gets") as caught:
        MicrocontrollerTransport(arena=1000).run(job())
    assert caught.value.limit.startswith("microcontroller.arena")


def test_an_arena_far_too_small_crashes_and_leaves_its_last_words(job):
    # Through the local transport: the microcontroller's refuses it first.
    tiny = LocalTransport(environment={ARENA_VARIABLE: "16"})
    with pytest.raises(RuntimeFault, match="was ended by SIGSEGV") as caught:
        tiny.run(job())
    assert any("Failed to allocate" in detail for detail in caught.value.details)


def test_no_time_is_measured_there(job, tiny_models):
    measure = Job("measure", runtime="tflite-micro", model=str(tiny_models / "int8.tflite"))
    for ask in (MicrocontrollerTransport().run, MicrocontrollerTransport().session):
        with pytest.raises(DeviceError, match="not on a microcontroller's"):
            ask(measure)


def test_another_runtime_and_more_threads_are_refused(job):
    with pytest.raises(DeviceError, match="litert does not run on microcontrollers"):
        MicrocontrollerTransport().run(job(runtime="litert"))
    with pytest.raises(DeviceError, match="one thread; 2 were asked for"):
        MicrocontrollerTransport().run(job(threads=2))


def test_a_probe_tells_the_budget_and_nothing_of_this_machine():
    environment = MicrocontrollerTransport(ram=1000).run(Job("probe")).environment
    assert environment["ram_bytes"] == 1000
    assert set(environment["runtimes"]) == {"tflite-micro"}
    assert "cpu_model" not in environment


def test_without_the_package_the_extra_is_named(monkeypatch):
    def run(self, job, *, timeout_s=None):
        from edgekit.job import JobResult

        return JobResult(environment={"runtimes": {"tflite-micro": {"error": "not installed"}}})

    monkeypatch.setattr(LocalTransport, "run", run)
    with pytest.raises(MissingExtraError) as caught:
        MicrocontrollerTransport().run(Job("probe"))
    assert "[microcontroller]'" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ram = 0", "ram: 0 is outside"),
        ('flash = "1M"', "flash: expected a whole number"),
        ("arena = 5\nram = 4", "arena: 5 bytes are more than the 4 of ram"),
        ("rom = 1", "unknown key rom"),
    ],
)
def test_a_wrong_profile_is_refused_by_file_and_key(tmp_path, text, complaint):
    path = tmp_path / "board.toml"
    path.write_text(f'transport = "microcontroller"\n[microcontroller]\n{text}\n')
    with pytest.raises(DeviceError, match=rf"board\.toml: microcontroller: .*{complaint}"):
        MicrocontrollerTransport.from_profile(read_device_toml(path))


def test_every_boards_profile_has_a_budget(checkout):
    for name in ("arduino-nano-33-ble", "esp32-s3", "raspberry-pi-pico", "stm32h743"):
        profile = read_device_toml(checkout / "devices" / f"{name}.toml")
        MicrocontrollerTransport.from_profile(profile)
        assert {"ram", "flash"} <= set(profile.options)


def test_eval_judges_by_the_same_metric_as_anywhere(make_artifact, dataset, capsys):
    folder = str(make_artifact(precision="int8").path)
    found = []
    for named in ([folder, "--device", "microcontroller"], [f"{folder}@delegate=reference"]):
        assert main(["eval", *named, "--dataset", str(dataset), "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    micro, plain = found
    assert (micro["runtime"], plain["runtime"]) == ("tflite-micro", "litert")
    assert micro["metric"] == plain["metric"]
    assert micro["sample_digest"] == plain["sample_digest"]


def test_an_abort_is_one_error_line_of_eval(make_artifact, dataset, tiny_models, capsys):
    content = selecting((tiny_models / "int8.tflite").read_bytes())
    artifact = holding(make_artifact(precision="int8"), content)
    words = ["eval", str(artifact.path), "--dataset", str(dataset), "-q"]
    assert main([*words, "--device", "microcontroller"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("error: ")] == told[:1]
    assert "Didn't find op for builtin opcode" in told[0]
