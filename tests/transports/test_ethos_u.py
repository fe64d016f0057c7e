"""Estimates by the real Vela."""

from __future__ import annotations

import json
import shutil

import pytest

from edgekit.cli import main
from edgekit.device import read_device_toml
from edgekit.errors import DeviceError, FileError, MissingExtraError
from edgekit.estimated import Estimate
from edgekit.job import Job
from edgekit.process import run_in_child
from edgekit.transports import ethos_u, vela
from edgekit.transports.ethos_u import ACCELERATORS, EthosUTransport
from edgekit.transports.local import LocalTransport
from tests.make_integer_files import with_float_output

pytest.importorskip("ethosu", reason="Vela is not installed: pip install -e '.[ethos-u]'")


def estimate(path, accelerator="ethos-u55-128", **options):
    transport = EthosUTransport(accelerator, **options)
    return transport.estimate(Job("measure", runtime="vela", model=str(path)))


@pytest.fixture
def profile(tmp_path):
    def read(text):
        path = tmp_path / "npu.toml"
        path.write_text(f'transport = "ethos-u"\n[ethos-u]\n{text}\n')
        return EthosUTransport.from_profile(read_device_toml(path))

    return read


@pytest.fixture(scope="module")
def compiled(tiny_models, tmp_path_factory):
    """What Vela writes for the tiny file."""
    folder = tmp_path_factory.mktemp("vela")
    arguments = [str(tiny_models / "int8.tflite"), "--accelerator-config", "ethos-u55-128"]
    arguments += ["--config", "Arm/vela.ini", "--system-config", "Ethos_U55_High_End_Embedded"]
    arguments += ["--memory-mode", "Shared_Sram", "--output-dir", str(folder)]
    payload = {"arguments": [*arguments, "--verbose-performance"], "folder": str(folder)}
    run_in_child(vela.ENTRY, payload)
    return folder


@pytest.fixture
def altered(compiled, tmp_path):
    """Read it after a change of one of its tables."""

    def read(table, change):
        folder = tmp_path / "vela"
        shutil.copytree(compiled, folder)
        path = next(folder.glob(f"int8_{table}*.csv"))
        path.write_text(change(path.read_text()))
        return vela.read(folder, "int8", compiler="Vela 5.2.0", accelerator="ethos-u55-128")

    return read


def test_every_configuration_has_a_profile_that_vela_takes(checkout):
    for accelerator in ACCELERATORS:
        transport = EthosUTransport.from_profile(
            read_device_toml(checkout / "devices" / f"{accelerator}.toml")
        )
        environment = transport.run(Job("probe")).environment
        assert environment["accelerator"] == accelerator
        assert environment["kind"] == "estimate"


@pytest.mark.parametrize("accelerator", ["ethos-u55-32", "ethos-u65-512", "ethos-u85-2048"])
def test_an_int8_file_runs_on_the_npu_whole(tiny_models, accelerator):
    found = estimate(tiny_models / "int8.tflite", accelerator)
    assert found.accelerator == accelerator
    assert found.cpu_ops == {}
    assert found.npu_share == 1.0
    assert found.cycles > 0
    assert found.inference_ms == pytest.approx(1000 * found.cycles / found.clock_hz)
    assert 0 < found.sram_bytes < 100_000
    # A 3×3×3 kernel with 8 channels over 6×6 places; the rest is little.
    assert 7_776 <= found.macs <= 8_500
    assert sum(layer.macs for layer in found.layers) == found.macs
    assert found.compiler.startswith("Vela 5.")


def test_equal_questions_get_equal_answers_that_survive_json(tiny_models):
    first, second = (estimate(tiny_models / "int8.tflite") for _ in range(2))
    assert first == second == Estimate.from_json(json.loads(json.dumps(first.to_json())))


def test_optimising_for_size_reaches_vela(tiny_models, monkeypatch):
    seen = []
    run = ethos_u.run_in_child
    monkeypatch.setattr(
        ethos_u,
        "run_in_child",
        lambda entry, payload, **more: (seen.append(payload), run(entry, payload, **more))[1],
    )
    estimate(tiny_models / "int8.tflite", optimise="Size", system="Ethos_U55_Deep_Embedded")
    (payload,) = seen
    assert "Size" in payload["arguments"]
    assert "Ethos_U55_Deep_Embedded" in payload["arguments"]


def test_an_operator_that_falls_back_to_the_processor_is_named_with_the_reason(
    tiny_models, tmp_path
):
    path = tmp_path / "real.tflite"
    path.write_bytes(with_float_output((tiny_models / "int8.tflite").read_bytes()))
    found = estimate(path)
    assert found.cpu_ops == {"Dequantize": 1}
    assert 0.5 < found.npu_share < 1
    assert [reason for reason in found.reasons if reason.startswith("DEQUANTIZE: ")]
    assert [layer.cycles for layer in found.layers if not layer.on_npu] == [0]


def test_a_float_file_of_which_nothing_goes_to_the_npu_says_so(tiny_models):
    with pytest.raises(
        DeviceError, match=r"nothing of .*float\.tflite goes to ethos-u55"
    ) as caught:
        estimate(tiny_models / "float.tflite")
    assert any("Float32" in detail for detail in caught.value.details)


def test_another_kind_of_file_is_refused_before_vela_sees_it(tiny_models):
    with pytest.raises(DeviceError, match=r"float\.onnx: no \.tflite file"):
        estimate(tiny_models / "float.onnx")
    with pytest.raises(FileError, match="no such model file"):
        estimate(tiny_models / "none.tflite")


def test_vela_refuses_in_its_own_words(tiny_models, tmp_path):
    with pytest.raises(DeviceError, match=r"System_Config\.Nothing not found") as caught:
        estimate(tiny_models / "int8.tflite", system="Nothing")
    assert caught.value.message.startswith("Vela refuses: ")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes((tiny_models / "int8.tflite").read_bytes()[:400])
    with pytest.raises(DeviceError, match="Vela"):
        estimate(damaged)


def test_vela_is_ended_at_its_limit(tiny_models):
    transport = EthosUTransport("ethos-u55-128")
    job = Job("measure", runtime="vela", model=str(tiny_models / "int8.tflite"))
    with pytest.raises(DeviceError, match=r"Vela 5\S+ took longer than its limit of 0.01 s"):
        transport.estimate(job, timeout_s=0.01)


def test_nothing_can_be_run_or_timed_there(tiny_models):
    transport = EthosUTransport("ethos-u55-128")
    job = Job("measure", runtime="vela", model=str(tiny_models / "int8.tflite"))
    for ask in (transport.run, transport.session):
        with pytest.raises(DeviceError, match="an estimate by Vela, not a measurement"):
            ask(job)
    with pytest.raises(DeviceError, match="ethos-u55-128 is not here: nothing runs on it"):
        transport.run(Job("run", runtime="vela", model=job.model, inputs="x", outputs="y"))
    with pytest.raises(DeviceError, match="estimates nothing"):
        LocalTransport().estimate(job)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the key 'accelerator' is missing"),
        ('accelerator = "ethos-u55-512"', "'ethos-u55-512' is not one of ethos-u55-32, "),
        ('accelerator = "ethos-u55-32"\noptimise = "Speed"', "not one of Performance, Size"),
        ('accelerator = "ethos-u55-32"\nconfig = "own.ini"', r"own\.ini is no \.ini file"),
        ('accelerator = "ethos-u55-32"\nsram = 1', "unknown key sram"),
    ],
)
def test_a_wrong_profile_is_refused_by_file_and_key(profile, text, complaint):
    with pytest.raises(DeviceError, match=rf"npu\.toml: .*{complaint}"):
        profile(text)


def test_a_configuration_of_ones_own_lies_beside_the_profile(profile, tmp_path, tiny_models):
    from importlib.resources import files

    theirs = files("ethosu").joinpath("config_files/Arm/vela.ini").read_text()
    slow = theirs.replace("core_clock=500e6", "core_clock=125e6")
    (tmp_path / "own.ini").write_text(slow)
    transport = profile('accelerator = "ethos-u55-128"\nconfig = "own.ini"')
    found = transport.estimate(
        Job("measure", runtime="vela", model=str(tiny_models / "int8.tflite"))
    )
    assert found.clock_hz == 125e6


@pytest.mark.parametrize(
    ("table", "change", "complaint"),
    [
        (
            "summary",
            lambda text: text.replace("cycles_total", "cycles"),
            "no column 'cycles_total'",
        ),
        ("summary", lambda text: text + text, "has 4 rows"),
        ("summary", lambda text: text.replace("Ethos_U55_128", "Ethos_U55_32"), "of ethos-u55-32"),
        ("summary", lambda text: text.replace("500000000.0", "many"), "'many' is no figure"),
        ("summary", lambda text: text.replace("500000000.0", "nan"), "'nan' is no figure"),
        ("per-layer", lambda text: text.replace("Target", "Place"), "other columns"),
        ("per-layer", lambda text: text.replace("Conv2D,NPU,", "Conv2D,TPU,"), "runs on 'TPU'"),
        ("per-layer", lambda text: text + "short,row\n", "a row of 2 cells"),
    ],
)
def test_tables_in_another_form_are_refused_by_what_is_wrong(altered, table, change, complaint):
    with pytest.raises(DeviceError, match=complaint):
        altered(table, change)


def test_a_table_that_is_missing_is_refused(compiled):
    with pytest.raises(DeviceError, match="it wrote 0 summaries"):
        vela.read(compiled, "other", compiler="Vela 5.2.0", accelerator="ethos-u55-128")


def test_a_table_of_any_size_is_not_read(altered, monkeypatch):
    monkeypatch.setattr(vela, "_MOST_TABLE_BYTES", 100)
    with pytest.raises(DeviceError, match=r"wrote int8_summary\S+ of [\d,]+ bytes"):
        altered("summary", lambda text: text)


def test_a_name_with_commas_is_one_name(altered):
    found = altered("per-layer", lambda text: text.replace("Identity", 'a,b,"c",d'))
    assert found.layers[-1].name == 'a,b,"c",d'


def test_without_vela_the_extra_is_named(monkeypatch, tiny_models):
    from importlib.metadata import PackageNotFoundError

    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ethos_u, "version", version)
    with pytest.raises(MissingExtraError) as caught:
        EthosUTransport("ethos-u55-32").run(Job("probe"))
    assert "[ethos-u]'" in caught.value.hint


def test_eval_and_compare_refuse_with_one_line(make_artifact, dataset, capsys):
    folder = str(make_artifact(precision="int8").path)
    for words in (
        ["eval", folder, "--device", "ethos-u55-32", "--dataset", str(dataset)],
        ["compare", folder, folder, "--device", "ethos-u55-32", "--budget", "1"],
    ):
        assert main(words) == 1
        errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
        assert len(errors) == 1
        assert "nothing runs on it" in errors[0] or "not a measurement" in errors[0]
