from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.agent.service import perform
from edgekit.batching import KeptAnswers, run_on_device
from edgekit.batching.kept import Answers, Batch
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.job import Job, NonFinite
from edgekit.measure import Placement
from edgekit.samples import write_samples
from edgekit.tensor import TensorInfo
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

FLOAT = [TensorInfo("image", "float32", (1, 8, 8, 3))]
FLOAT_OUT = [TensorInfo("Identity", "float32", (1, 4))]
INT8 = [TensorInfo("image", "int8", (1, 8, 8, 3), 0.0039213490672409534, -128)]
INT8_OUT = [TensorInfo("Identity", "int8", (1, 4), 0.0008651085663586855, -5)]


class Board(Transport):
    """A device in this process, which remembers what it was fed and can be changed."""

    batched = True

    def __init__(self, batched=True):
        self.batched = batched
        self.fed, self.parts, self.facts, self.breaks_after = [], [], {"nodename": "pi"}, None
        self.change = lambda result, _job: result

    @classmethod
    def from_profile(cls, profile):
        return cls()

    def _run(self, job, timeout_s):
        if self.breaks_after is not None and len(self.fed) >= self.breaks_after:
            raise DeviceError("the cable was pulled")
        self.fed.append(np.load(job.inputs))
        self.parts.append(self.part)
        result = perform(job)
        if self.score is not None:
            self.score([np.load(job.outputs)])
        result = replace(result, environment={**result.environment, **self.facts})
        return self.change(result, job)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def travel(tmp_path, tiny_models):
    """Run 100 random samples on a board; what it gave, and what was told."""
    pictures = np.random.default_rng(2).random((100, 8, 8, 3), np.float32)
    numbers = iter(range(1000))

    def make(board, *, int8=False, kept=None, samples=pictures):
        scratch = tmp_path / f"scratch-{next(numbers)}"
        scratch.mkdir()
        told = []
        found = run_on_device(
            board,
            Job("run", "litert", str(tiny_models / ("int8.tflite" if int8 else "float.tflite"))),
            inputs=INT8 if int8 else FLOAT,
            outputs=INT8_OUT if int8 else FLOAT_OUT,
            samples=write_samples(scratch / "samples", {"image": samples}),
            scratch=scratch,
            kept=kept,
            told=lambda *stand: told.append(stand),
        )
        return found, told

    return make


@pytest.mark.parametrize("int8", [False, True])
def test_batches_give_what_one_job_gives_to_the_bit(travel, int8):
    one, board = Board(batched=False), Board()
    whole, _ = travel(one, int8=int8)
    found, told = travel(board, int8=int8)
    assert (len(one.fed), whole.resumed) == (1, None)
    assert len(board.fed) > 2
    assert len(board.fed[0]) == 4
    assert found.outputs[0].dtype == whole.outputs[0].dtype == np.float32
    assert found.outputs[0].tobytes() == whole.outputs[0].tobytes()
    assert found.placement == whole.placement
    assert [done for done, _, _ in told] == [0, *np.cumsum([len(b) for b in board.fed])[:-1]]
    # One batch does not tell what a job costs by itself.
    assert (told[-1][1], told[1][2], "left" in told[2][2]) == (100, "", True)
    assert [part.before for part in board.parts] == [done for done, _, _ in told]
    assert board.part is None


def test_this_machine_gets_one_job_and_no_batches():
    assert not LocalTransport.batched


def test_a_broken_run_is_gone_on_with_at_the_next_batch(travel):
    board, kept = Board(), KeptAnswers({})
    whole, _ = travel(Board())
    board.breaks_after = 2
    with pytest.raises(DeviceError, match="cable"):
        travel(board, kept=kept)
    again, there = Board(), sum(map(len, board.fed))
    found, told = travel(again, kept=KeptAnswers({}))
    assert found.outputs[0].tobytes() == whole.outputs[0].tobytes()
    assert (found.resumed.samples, found.resumed.total) == (there, 100)
    assert told[0] == (there, 100, f"resumed: {there} of 100 samples were there already")
    proof, *rest = again.fed
    # Some of what was there, and then only what was not.
    before = {row.tobytes() for row in np.concatenate(board.fed)}
    assert len(proof) == found.resumed.proven == min(16, len(board.fed[1]))
    assert {row.tobytes() for row in proof} <= before
    assert sum(map(len, rest)) == 100 - there
    assert not {row.tobytes() for row in np.concatenate(rest)} & before


def test_when_all_is_there_the_device_still_has_to_answer(travel):
    whole, _ = travel(Board(), kept=KeptAnswers({}))
    board = Board()
    found, _ = travel(board, kept=KeptAnswers({}))
    assert [len(batch) for batch in board.fed] == [16]
    assert found.resumed.samples == 100
    assert found.outputs[0].tobytes() == whole.outputs[0].tobytes()
    assert found.placement == whole.placement
    board.breaks_after = 0
    with pytest.raises(DeviceError, match="cable"):
        travel(board, kept=KeptAnswers({}))


@pytest.mark.parametrize("fact", ["runtime_version", "cpu_model", "machine", "nodename", "driver"])
def test_a_device_with_other_facts_is_asked_for_everything(travel, fact):
    travel(Board(), kept=KeptAnswers({}))
    board = Board()
    board.facts = {"nodename": "pi", fact: "another"}
    found, _ = travel(board, kept=KeptAnswers({}))
    assert found.resumed.samples == 0
    assert found.resumed.forgotten.startswith(f"{fact} was ")
    assert found.resumed.forgotten.endswith("and is another")
    assert sum(map(len, board.fed[1:])) == 100
    # And what it answers is what the next call finds.
    assert travel(board, kept=KeptAnswers({}))[0].resumed.samples == 100


def test_ops_that_ran_elsewhere_then_are_asked_for_again(travel):
    travel(Board(), kept=KeptAnswers({}))
    board = Board()
    board.change = lambda result, _job: replace(
        result, placement=Placement(4, 2, 2, {"XNNPACK": 2}, "test")
    )
    assert travel(board, kept=KeptAnswers({}))[0].resumed.forgotten.startswith("placement was")


def test_facts_of_the_moment_forget_nothing(travel):
    travel(Board(), kept=KeptAnswers({}))
    board = Board()
    board.facts |= {"temperature_c": 81.0, "cpu_khz": 600_000, "load_1min": 7.0}
    assert travel(board, kept=KeptAnswers({}))[0].resumed.samples == 100


def test_one_other_value_and_nothing_of_it_is_believed(travel):
    honest, _ = travel(Board(), kept=KeptAnswers({}))
    board = Board()

    def changed(result, job):
        values = np.load(job.outputs)
        values[0, 0] = np.nextafter(values[0, 0], np.float32(2))
        np.save(job.outputs, values)
        board.change = lambda result, _job: result
        return result

    board.change = changed
    found, _ = travel(board, kept=KeptAnswers({}))
    assert found.resumed.forgotten == "sample 0 has other outputs now"
    assert found.outputs[0].tobytes() == honest.outputs[0].tobytes()


def test_kept_answers_of_another_device_never_get_into_a_figure(travel):
    """As if somebody had copied a cache: digests fit, and the device says otherwise."""
    pictures = np.random.default_rng(2).random((100, 8, 8, 3), np.float32)
    batch = Batch.of({"image": pictures}, 0, 50)
    forged = Answers([np.full((50, 4), 0.25, np.float32)], {"nodename": "pi"})
    KeptAnswers({}).keep(batch, forged)
    honest, _ = travel(Board())
    found, _ = travel(Board(), kept=KeptAnswers({}))
    assert found.resumed.forgotten is not None
    assert found.outputs[0].tobytes() == honest.outputs[0].tobytes()


def test_a_device_that_is_another_one_in_the_middle_is_refused(travel):
    board = Board()

    def swap(result, _job):
        board.facts = {"nodename": "pa"}
        return result

    board.change = swap
    with pytest.raises(DeviceError, match="nodename was pi, and is pa") as caught:
        travel(board)
    assert "one board alone" in caught.value.hint


def test_nan_is_told_with_its_place_among_all_and_not_kept(travel):
    board, kept = Board(), KeptAnswers({})
    board.change = lambda result, _job: (
        replace(result, nonfinite=NonFinite(3, 1, 2)) if len(board.fed) == 2 else result
    )
    with pytest.raises(RuntimeFault, match="3 output values are NaN") as caught:
        travel(board, kept=kept)
    assert caught.value.details == ("the first is sample 6",)
    assert travel(Board(), kept=kept)[0].resumed.samples == 4


def test_fewer_answers_than_samples_are_refused(travel):
    board = Board()
    board.change = lambda result, _job: replace(result, samples=3)
    with pytest.raises(DeviceError, match="answered 3 samples; 4 were sent"):
        travel(board)


def test_a_running_figure_counts_every_sample_once_and_in_its_order(travel):
    travel(Board(), kept=KeptAnswers({}))
    board, seen = Board(), []
    with board.scored(lambda outputs: seen.append(outputs[0]) or None):
        found, _ = travel(board, kept=KeptAnswers({}))
        assert board.score is not None
    assert np.concatenate(seen).tobytes() == found.outputs[0].tobytes()
