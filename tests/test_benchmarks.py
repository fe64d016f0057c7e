from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest

from benchmarks import feed, loop, pretrain, startup, transports
from benchmarks.__main__ import flat
from edgekit.models import resolve_model
from edgekit.training.recipe import read_recipe
from edgekit.transports.local import LocalTransport


def test_the_start_up_ratio_is_taken_within_each_round_for_both_commands():
    figures = startup.run(rounds=3)
    for command in ("help", "version"):
        for clock in ("wall", "cpu"):
            low, high = figures[command][clock]["ratio_range"]
            assert 0 < low <= figures[command][clock]["ratio"] <= high


def test_the_loop_benchmark_relates_what_the_loop_adds_to_a_call_of_one_millisecond():
    figures = loop.overhead(rounds=2)
    share = figures["loop_ns_per_1_ms_call"] / 1e6
    assert abs(figures["share_of_1_ms"] - share) < 1e-4


def test_the_spinning_runtime_is_timed_as_long_as_it_spins(tmp_path):
    transports._install(tmp_path / "packages")
    model = tmp_path / "model.bin"
    model.write_bytes(b"1000000\0")
    local = LocalTransport(environment=transports._importable(tmp_path / "packages"))
    found = transports._timed({"local": local, "again": local}, model, 1, 1_000_000)
    assert 1000 <= found["local"]["median_us"] < 1500
    assert 0.5 < found["again"]["ratio"] < 2


def test_a_delaying_line_carries_all_bytes_late_and_its_end():
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = transports._DelayingLine(server.getsockname(), 0.05)
        with socket.create_connection(("127.0.0.1", line.port)) as client:
            began = time.monotonic()
            client.sendall(b"a" * 100_000)
            client.shutdown(socket.SHUT_WR)
            far, _ = server.accept()
            with far:
                far.settimeout(10)
                got = b""
                while data := far.recv(65536):
                    got += data
                assert got == b"a" * 100_000
                assert time.monotonic() - began >= 0.05
        line.close()


def test_nested_figures_print_one_a_line_and_raw_samples_stay_in_the_json():
    figures = {"a": {"b": 1, "c": {"d": [1.0, 2.0]}}, "samples": list(range(100))}
    assert flat(figures) == {"a.b": 1, "a.c.d": [1.0, 2.0]}


def test_an_unknown_benchmark_is_a_usage_error():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nonsense"], capture_output=True, check=False
    )
    assert done.returncode == 2


def test_json_is_one_document_on_stdout():
    code = (
        "from benchmarks import __main__, startup; import functools;"
        "startup.run = functools.partial(startup.run, rounds=1); __main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "startup", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["benchmark"] == "startup"


@pytest.mark.slow
def test_the_feed_benchmark_relates_both_kinds_of_tfrecords_to_the_folder(monkeypatch):
    monkeypatch.delenv("EDGEKIT_DATA", raising=False)
    figures = feed.run(rounds=1, samples=72)
    found = figures["glyphs"]
    assert found["train_samples"] == 72
    assert found["megabytes"]["folder"] > 0.2
    for what in ("first_epoch", "later_epoch", "read_ahead"):
        for clock in ("per_s", "per_cpu_s"):
            for layout in ("tfrecord", "tfrecord_gz"):
                low, high = found[what][clock][f"{layout}_ratio_ci95"]
                assert 0 < low <= found[what][clock][f"{layout}_ratio"] <= high


def test_gains_of_pretraining_are_taken_seed_by_seed():
    figures = pretrain._spread([70.0, 74.0, 66.0])
    assert figures == {"mean": 70.0, "deviation": 4.0, "each": [70.0, 74.0, 66.0]}
    assert pretrain._spread([3.0])["deviation"] == 0.0


def test_the_model_of_the_pretraining_benchmark_augments_with_and_without_a_backbone(tmp_path):
    folder = pretrain._model_folder(tmp_path)
    spec = resolve_model(str(folder)).spec
    recipe = read_recipe(spec.train, spec.parameters, "copy")
    assert recipe.augment.crop == 0.6
    assert spec.features
