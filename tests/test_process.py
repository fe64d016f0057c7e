from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from edgekit import process
from edgekit.errors import FileError, ModelError
from edgekit.process import Child, ChildCrashed, ChildFailed, run_in_child

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


@pytest.fixture(autouse=True)
def handlers_on_path(monkeypatch, tests_folder):
    monkeypatch.setenv("PYTHONPATH", str(tests_folder))


def test_one_child_answers_several_requests():
    with Child("children:echo") as child:
        assert [child.call({"n": n}) for n in range(3)] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_a_child_that_prints_does_not_disturb_its_answer():
    with Child("children:loud") as child:
        assert child.call({"n": 1}) == {"heard": {"n": 1}}
        assert "not an answer" in child.log_tail()
        assert "nor is this" in child.log_tail()


def test_events_arrive_in_order_before_the_answer():
    seen = []
    answer = run_in_child("children:counting", {"to": 5}, on_event=seen.append)
    assert seen == [{"number": n} for n in range(5)]
    assert answer["pid"] != os.getpid()


def test_an_edgekit_error_in_the_child_is_raised_here_as_itself():
    with pytest.raises(ModelError, match="no such layer") as caught:
        run_in_child("children:failing", {"known": True})
    assert caught.value.details == ("a detail",)
    assert caught.value.hint == "another layer"


def test_any_other_exception_names_its_type_and_first_line_and_keeps_its_traceback():
    with Child("children:failing") as child:
        with pytest.raises(ChildFailed, match=r"^ValueError: first line$"):
            child.call({})
        assert any("Traceback" in line for line in child.log_tail())


def test_a_full_disk_in_the_child_is_a_file_error_here():
    with pytest.raises(FileError, match=r"model\.tflite: No space left"):
        run_in_child("children:full_disk", {})


@posix_only
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_crash_is_reported_with_the_name_of_its_signal_and_the_last_words(name):
    with pytest.raises(ChildCrashed, match=f"children:crashing was ended by {name}") as caught:
        run_in_child("children:crashing", {"signal": name})
    assert "last words" in caught.value.details


def test_leaving_without_an_answer_is_a_crash_with_its_status():
    with pytest.raises(ChildCrashed, match="ended with status 7"):
        run_in_child("children:leaving", {"status": 7})


def test_leaving_with_status_zero_is_a_crash_all_the_same():
    with pytest.raises(ChildCrashed, match="ended with status 0"):
        run_in_child("children:leaving", {"status": 0})


def test_a_handler_that_does_not_import_is_an_error_with_its_reason():
    with pytest.raises(ChildFailed, match="ModuleNotFoundError: No module named 'nowhere'"):
        run_in_child("nowhere:handler", {})


def test_a_child_that_hangs_is_ended_and_the_report_names_the_time_limit():
    with pytest.raises(ChildCrashed, match=r"took longer than its limit of 0\.5 s"):
        run_in_child("children:hanging", {}, timeout_s=0.5)


PARENT = """
import sys
from edgekit.process import Child
child = Child("children:hanging")
child.call({}, on_event=lambda event: print(event["pid"], flush=True))
"""


def ended(pid: int) -> bool:
    """Wait until a process that is not our child is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 20)[0])
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_dies_with_a_parent_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        assert ended(pid)


END_ALL = """
import threading
from edgekit import process
from edgekit.errors import EdgekitError
child = process.Child("children:hanging")
begun = threading.Event()
def call():
    try:
        child.call({}, on_event=lambda event: begun.set())
    except EdgekitError as error:
        print(error)
thread = threading.Thread(target=call)
thread.start()
begun.wait()
process.end_all()
thread.join()
try:
    process.Child("children:echo")
except EdgekitError as error:
    print(error)
"""


@posix_only
def test_ending_all_children_frees_the_threads_that_wait_and_lets_no_new_one_start():
    done = subprocess.run(
        [sys.executable, "-c", END_ALL], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "the process running children:hanging was ended with edgekit",
        "no process for children:echo: edgekit is being ended",
    ]


def test_closed_children_are_forgotten():
    with Child("children:echo") as child:
        assert child in process._running
    assert child not in process._running


def test_children_can_be_used_from_several_threads_at_once():
    answers = {}

    def work(number):
        answers[number] = run_in_child("children:echo", {"n": number})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: {"n": n} for n in range(4)}
