"""Run tasks that need each other, side by side where they don't.

Knows names, needs and functions. Does not know what the functions do; a task that fails takes down
those that need it and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from edgekit.errors import EdgekitError


@dataclass(frozen=True, slots=True)
class Task:
    """A function with a name.

    Attributes:
        name: Unique; other tasks need it by this name.
        run: Gets the results of its needs, in the order of `needs`.
        needs: Tasks that must have succeeded before.
        lane: Tasks of one lane never run at the same time (they share a process).
        vital: If it fails, no other task is started any more.
    """

    name: str
    run: Callable[..., Any]
    needs: tuple[str, ...] = ()
    lane: str | None = None
    vital: bool = False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the tasks ended.

    Attributes:
        results: Name → result of each task that succeeded.
        errors: Name → error of each task that failed itself.
        skipped: Name → the failed task that it depended on, directly or not.
    """

    results: Mapping[str, Any]
    errors: Mapping[str, EdgekitError]
    skipped: Mapping[str, str]


def run_tasks(tasks: Sequence[Task], *, slots: int) -> Outcomes:
    """Run all tasks; among those that are ready, the earlier in `tasks` goes first.

    Args:
        tasks: In order of priority; needs must name tasks of this sequence.
        slots: How many may run at once.

    Raises:
        ValueError: A need that no task has the name of, or a circle of needs.
        Exception: Anything but an `EdgekitError` that a task raises ends the whole run.
    """
    return _Run(tasks, slots).finish()


class _Run:
    def __init__(self, tasks: Sequence[Task], slots: int) -> None:
        names = {task.name for task in tasks}
        for task in tasks:
            if unknown := set(task.needs) - names:
                raise ValueError(f"{task.name} needs unknown tasks: {sorted(unknown)}")
        self.waiting = list(tasks)
        self.slots = slots
        self.running: dict[Future[Any], Task] = {}
        self.results: dict[str, Any] = {}
        self.errors: dict[str, EdgekitError] = {}
        self.skipped: dict[str, str] = {}

    def finish(self) -> Outcomes:
        with ThreadPoolExecutor(self.slots, thread_name_prefix="edgekit-task") as pool:
            while self.waiting or self.running:
                self._skip_hopeless()
                self._start_ready(pool)
                if self.running:
                    done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._collect(future)
                elif self.waiting:
                    raise ValueError(f"needs in a circle: {[task.name for task in self.waiting]}")
        return Outcomes(self.results, self.errors, self.skipped)

    def _start_ready(self, pool: ThreadPoolExecutor) -> None:
        for task in list(self.waiting):
            if len(self.running) >= self.slots:
                return
            busy = {running.lane for running in self.running.values()} - {None}
            if task.lane not in busy and all(need in self.results for need in task.needs):
                self.waiting.remove(task)
                arguments = [self.results[need] for need in task.needs]
                self.running[pool.submit(task.run, *arguments)] = task

    def _collect(self, future: Future[Any]) -> None:
        task = self.running.pop(future)
        try:
            self.results[task.name] = future.result()
        except EdgekitError as error:
            self.errors[task.name] = error
            if task.vital:
                self.skipped.update({waiting.name: task.name for waiting in self.waiting})
                self.waiting.clear()

    def _skip_hopeless(self) -> None:
        changed = True
        while changed:
            changed = False
            for task in list(self.waiting):
                for need in task.needs:
                    if need in self.errors or need in self.skipped:
                        self.waiting.remove(task)
                        self.skipped[task.name] = self.skipped.get(need, need)
                        changed = True
                        break
