"""Estimates as `edgekit profile` asks for them, by the real Vela."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from edgekit.cli import main
from edgekit.errors import UsageError
from edgekit.store import Store
from edgekit.transports.ethos_u import ACCELERATORS
from edgekit.verbs.estimate import devices_meant, estimating
from tests.make_integer_files import REAL, holding, with_float_output

pytest.importorskip("ethosu", reason="Vela is not installed: pip install -e '.[ethos-u]'")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


@pytest.fixture
def int8(make_artifact):
    return str(make_artifact(precision="int8").path)


def test_one_command_shows_all_configurations_with_a_file_of_layers_each(int8, capsys):
    assert main(["profile", int8, "--device", "ethos-u*", "--out", "layers", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "measured" not in printed.lower()
    lines = printed.splitlines()
    assert lines[0].startswith("tiny tflite-int8: estimates by Vela 5")
    assert [line.split()[0] for line in lines[3:14]] == list(ACCELERATORS)
    written = {path.name for path in Path("layers").iterdir()}
    assert written == {f"tiny-tflite-int8-{name}.csv" for name in ACCELERATORS}
    with Path("layers/tiny-tflite-int8-ethos-u85-128.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["kind"] for row in rows} == {"estimate"}
    assert {row["accelerator"] for row in rows} == {"ethos-u85-128"}
    assert sum(int(row["macs"]) for row in rows) > 7000


def test_json_says_of_every_row_that_it_is_an_estimate(int8, capsys):
    words = ["profile", int8, "--device", "ethos-u55-32", "--device", "ethos-u65-256", "--json"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "measured" not in printed
    rows = json.loads(printed)["rows"]
    assert [row["kind"] for row in rows] == ["estimate"] * 2
    assert [row["device"] for row in rows] == ["ethos-u55-32", "ethos-u65-256"]
    assert "samples_ns" not in rows[0]


def test_an_estimate_never_enters_the_store(int8):
    assert main(["profile", int8, "--device", "ethos-u55-32", "-q"]) == 0
    assert main(["compare", int8, int8, "--device", "ethos-u55-32", "-q"]) == 1
    with Store.open() as store:
        assert list(store.find()) == []


def test_one_estimates_layers_go_to_the_file_that_is_named(int8):
    assert main(["profile", int8, "--device", "ethos-u55-32", "--out", "one.csv", "-q"]) == 0
    assert Path("one.csv").read_text().startswith("kind,accelerator,op,")
    words = ["profile", int8, "--device", "ethos-u55*", "--out", "all.csv", "-q"]
    assert main(words) == 2
    assert not Path("all.csv").exists()


def test_an_operator_beside_the_npu_stands_in_the_table_with_its_reason(
    make_artifact, tiny_models, capsys
):
    content = with_float_output((tiny_models / "int8.tflite").read_bytes())
    artifact = holding(make_artifact(precision="int8"), content, outputs=(REAL,))
    assert main(["profile", str(artifact.path), "--device", "ethos-u55-32", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "Dequantize 1" in printed
    assert "on the CPU: DEQUANTIZE: " in printed


@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_float_files_and_other_targets_are_refused_and_the_others_shown(
    make_artifact, int8, capsys, target
):
    make_artifact(target)
    assert main(["profile", "build/tiny", "--device", "ethos-u55-32", "-q"]) == 1
    printed = capsys.readouterr()
    assert "ethos-u55-32" in printed.out
    assert f"takes full-integer .tflite files; build/tiny/{target}-fp32" in printed.err
    assert len([line for line in printed.err.splitlines() if "error:" in line]) == 1


@pytest.mark.parametrize(
    "option",
    [
        ["--rounds", "3"], ["--seconds", "1"], ["--sustained", "5s"], ["--passes", "none"],
        ["--threads", "2"], ["--runtime", "litert"], ["--seed", "1"], ["--fresh"],
    ],
)  # fmt: skip
def test_options_of_runs_make_no_sense_for_estimates(int8, capsys, option):
    assert main(["profile", int8, "--device", "ethos-u55-32", *option]) == 2
    assert f"error: {option[0]}: an estimate runs nothing" in capsys.readouterr().err


def test_settings_behind_the_artifact_make_none_either(int8, capsys):
    assert main(["profile", f"{int8}@threads=2", "--device", "ethos-u55-32"]) == 2
    assert "settings behind @" in capsys.readouterr().err


def test_a_measured_device_shares_no_table(int8, capsys):
    for second in ("local-cpu", "microcontroller"):
        assert main(["profile", int8, "--device", "ethos-u55-32", "--device", second]) == 2
        assert f"{second} is measured" in capsys.readouterr().err


def test_a_limit_on_latency_is_not_held_against_an_estimate(int8, capsys):
    Path("BUDGET.toml").write_text(
        f'[gate.npu]\nartifact = "{int8}"\nbaseline = "{int8}"\nmax_slower = "3 %"\n'
        'device = "ethos-u55-32"\n'
    )
    assert main(["check", "BUDGET.toml", "-q"]) == 1
    printed = capsys.readouterr()
    told = printed.out + printed.err
    assert "no latency from here: an estimate by Vela, not a measurement" in told
    with Store.open() as store:
        assert list(store.find()) == []


def test_patterns_stand_for_names_in_the_order_of_their_numbers():
    assert devices_meant(["ethos-u*"]) == list(ACCELERATORS)
    assert devices_meant(["ethos-u65-512", "ethos-u65*"]) == ["ethos-u65-512", "ethos-u65-256"]
    assert devices_meant(["local-cpu"]) == ["local-cpu"]
    with pytest.raises(UsageError, match="no device's name fits"):
        devices_meant(["nothing-*"])


def test_only_devices_that_estimate_do():
    assert estimating(["ethos-u55-32", "ethos-u85-128"])
    assert not estimating(["local-cpu"])


def test_the_folder_for_layers_may_be_unwritable(int8, capsys):
    if os.geteuid() == 0:
        Path("layers").write_text("a file")
    else:
        Path("layers").mkdir(mode=0o500)
    assert main(["profile", int8, "--device", "ethos-u55-32", "--out", "layers", "-q"]) == 1
    assert "error: " in capsys.readouterr().err
