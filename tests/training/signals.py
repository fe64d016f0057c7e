"""Run by `test_interrupts`, in a process of its own: a signal gone astray ends a test worker."""

from __future__ import annotations

import signal
import threading

import pytest

from edgekit.training.interrupts import interrupts_held, take_interrupt


@pytest.fixture
def told():
    """Signals that came through, as their handler saw them."""
    seen = []

    def handler(number, _frame):
        seen.append(number)
        raise KeyboardInterrupt

    old = {n: signal.signal(n, handler) for n in (signal.SIGINT, signal.SIGTERM)}
    yield seen
    for number, before in old.items():
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_a_step(told, number):
    steps = []

    def run():
        with interrupts_held():
            for step in range(5):
                if step == 2:
                    signal.raise_signal(number)
                    assert told == []
                steps.append(step)
                take_interrupt()

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (steps, told) == ([0, 1, 2], [number])


def test_a_second_signal_does_not_wait(told):
    reached = []

    def run():
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            reached.append("first")
            signal.raise_signal(signal.SIGTERM)
            reached.append("second")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert reached == ["first"]
    assert told == [signal.SIGTERM]


def test_a_signal_after_the_last_step_comes_at_the_end(told):
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)
    assert told == [signal.SIGINT]


def test_signals_do_what_they_did_when_it_is_over(told):
    before = signal.getsignal(signal.SIGINT)
    with interrupts_held():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)

    def fail():
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("a step failed")

    with pytest.raises(ValueError, match="a step"):
        fail()
    assert signal.getsignal(signal.SIGINT) is before
    take_interrupt()  # what waited went with the failure


def test_an_ignored_signal_stays_ignored_and_a_thread_changes_nothing(told):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with interrupts_held():
        signal.raise_signal(signal.SIGTERM)
        take_interrupt()
    before, seen = signal.getsignal(signal.SIGINT), []

    def within():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=within)
    thread.start()
    thread.join()
    assert seen == [before]
    assert told == []
