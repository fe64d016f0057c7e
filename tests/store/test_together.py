"""Several processes, and processes that are killed; and any order of calls."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from benchmarks.store import synthetic_run, synthetic_turn, together
from edgekit.errors import StoreError
from edgekit.store import Store

# Keeps rounds without end and says the number of each when it is kept.
ROUNDS_WITHOUT_END = """
import itertools, random, sys
from pathlib import Path
from benchmarks.store import synthetic_run, synthetic_turn
from edgekit.store import Store
chance = random.Random(0)
store = Store.open(Path(sys.argv[1]))
number = store.begin(synthetic_run("killed"))
for at in itertools.count(store.load(number).rounds):
    turns = [synthetic_turn(chance, who, at, blocks=3, calls=900) for who in (0, 1)]
    store.add_round(number, turns)
    print(number, at, flush=True)
"""


def test_two_processes_write_at_once_and_a_third_reads_and_nothing_is_lost():
    figures = together(seconds=1.0)
    assert figures["failed"] == []
    assert figures["rounds_written"] == figures["rounds_found"] >= 100
    assert figures["turns_written"] == figures["turns_found"]
    assert figures["same_samples"]
    assert figures["reads"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_process_that_is_killed_leaves_every_finished_round_and_the_next_goes_on(place, checkout):
    told: list[tuple[int, int]] = []
    for rounds in (1, 3, 6):
        child = subprocess.Popen(
            [sys.executable, "-c", ROUNDS_WITHOUT_END, place],
            cwd=checkout,
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = [child.stdout.readline() for _ in range(rounds)]
        child.send_signal(signal.SIGKILL)  # somewhere in the middle of the next round
        lines += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        told += [tuple(map(int, line.split())) for line in lines]
        with Store.open(place) as store:
            (stored,) = store.find(finished=None)
            run = store.load(stored.number)
        # One more may be kept than the process had time to tell of.
        assert run.rounds - len(told) in (0, 1)
        assert [turn.round for turn in run.turns] == [at for at in range(run.rounds) for _ in "ab"]
        told = [(stored.number, at) for at in range(run.rounds)]
    with Store.open(place) as store:
        assert store.begin(synthetic_run("killed")) == stored.number


class Interleaved(RuleBasedStateMachine):
    """Two open stores on one file, used in any order, always say what a plain dict would."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name) / "measurements.sqlite"
        self.stores = [Store.open(place), Store.open(place)]
        self.rounds: dict[int, list[tuple[int, int]]] = {}
        self.finished: set[int] = set()
        self.keys: dict[int, str] = {}

    def teardown(self):
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    @rule(which=st.integers(0, 1), name=st.sampled_from("ab"))
    def begin(self, which, name):
        number = self.stores[which].begin(synthetic_run(name))
        open_ones = [n for n, key in self.keys.items() if key == name and n not in self.finished]
        if open_ones:
            assert number == open_ones[0]
        else:
            assert number not in self.rounds
            self.rounds[number], self.keys[number] = [], name

    @precondition(lambda self: self.rounds)
    @rule(
        which=st.integers(0, 1),
        data=st.data(),
        at=st.integers(0, 3),
        who=st.sets(st.integers(0, 2), min_size=1),
    )
    def add_round(self, which, data, at, who):
        number = data.draw(st.sampled_from(sorted(self.rounds)))
        new = [(at, contender) for contender in sorted(who)]
        turns = [turn_of(contender, at) for contender in sorted(who)]
        known = self.rounds[number]
        if number in self.finished or set(new) & set(known) or 2 in who:
            with pytest.raises(StoreError):
                self.stores[which].add_round(number, turns)
        else:
            self.stores[which].add_round(number, turns)
            known += new

    @precondition(lambda self: self.rounds)
    @rule(which=st.integers(0, 1), data=st.data())
    def finish(self, which, data):
        number = data.draw(st.sampled_from(sorted(self.rounds)))
        self.stores[which].finish(number)
        self.finished.add(number)

    @precondition(lambda self: self.rounds)
    @rule(which=st.integers(0, 1), data=st.data())
    def delete(self, which, data):
        number = data.draw(st.sampled_from(sorted(self.rounds)))
        self.stores[which].delete([number])
        for known in (self.rounds, self.keys):
            del known[number]
        self.finished.discard(number)

    @invariant()
    def both_see_the_same(self):
        for store in self.stores:
            found = {stored.number: stored for stored in store.find(finished=None)}
            assert set(found) == set(self.rounds)
            for number, turns in self.rounds.items():
                assert (found[number].finished is not None) == (number in self.finished)
                assert found[number].processes == len(turns)
                loaded = store.load(number).turns
                # By round, whoever came first.
                assert loaded == tuple(
                    turn_of(who, at) for at, who in sorted(turns, key=itemgetter(0))
                )


def turn_of(contender, at):
    import random

    return synthetic_turn(random.Random(100 * contender + at), contender, at, blocks=1, calls=2)


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
