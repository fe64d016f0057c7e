"""What is said of delegates is so: XNNPACK itself is asked, op by op."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from edgekit.graphs.reading import read_graph
from edgekit.job import Job
from edgekit.placing.causes import NEVER, ONLY_IN_FLOAT, XNNPACK, Cause, cause_of
from edgekit.placing.placed import put_together
from edgekit.quantization.rewrite import hard_swish
from edgekit.transports.local import LocalTransport

_SCRIPT = Path(__file__).parents[1] / "make_op_files.py"


@pytest.fixture(scope="module")
def files(made_once):
    def fill(folder):
        command = [sys.executable, _SCRIPT, folder]
        subprocess.run(command, check=True, capture_output=True)

    return made_once("op-files", fill)


@pytest.fixture(scope="module")
def asked(files):
    """Of each file the document, and kind → whether XNNPACK took all, none or some of its ops."""

    def ask(name):
        job = Job(action="placement", runtime="litert", model=str(files / f"{name}.tflite"))
        document = LocalTransport().run(job).documents["placement"]
        found = defaultdict(set)
        for op in document["ops"]:
            found[op["kind"]].add(op["taken"])
        return document, found

    return {name: ask(name) for name in ("float", "int8")}


def test_xnnpack_runs_what_it_only_runs_in_float_in_float_and_not_in_8_bits(asked):
    _, in_float = asked["float"]
    _, in_int8 = asked["int8"]
    for kind in ONLY_IN_FLOAT:
        assert in_float[kind] == {True}, kind
        assert False in in_int8[kind], kind


def test_xnnpack_runs_what_it_never_runs_in_neither(asked):
    for _, found in asked.values():
        for kind in NEVER:
            if kind in found:
                assert found[kind] == {False}, kind
    seen = set(asked["float"][1]) | set(asked["int8"][1])
    assert not set(NEVER) - seen


def test_a_cause_is_known_of_every_op_that_xnnpack_leaves_out(asked, files):
    for name, (document, _) in asked.items():
        placed = put_together(document, read_graph(files / f"{name}.tflite", "tflite"))
        assert placed.wanted == XNNPACK
        assert placed.blockers
        assert [one.kind for one in placed.blockers if not one.cause.why] == []


def test_xnnpack_multiplies_matrices_in_8_bits_where_the_second_has_no_zero_point(files):
    for name, taken in (("even", True), ("uneven", False)):
        job = Job(action="placement", runtime="litert", model=str(files / f"{name}.tflite"))
        document = LocalTransport().run(job).documents["placement"]
        found = [op["taken"] for op in document["ops"] if op["kind"] == "BATCH_MATMUL"]
        assert found == [taken], name


def test_a_fix_is_a_rewrite_that_edgekit_has():
    assert cause_of("", XNNPACK, "HARD_SWISH", ["int8"]).fix == hard_swish.NAME
    # In float XNNPACK takes it: another reason, which is not known.
    assert cause_of("", XNNPACK, "HARD_SWISH", ["float32"]) == Cause()


def test_what_is_not_known_is_not_guessed():
    assert cause_of("", "CUDA", "Conv", ["float32"]) == Cause()
    assert cause_of("too large", "CUDA", "Conv", ["float32"]).why == "too large"
    assert cause_of("", XNNPACK, "SOFTMAX", []) == Cause()
