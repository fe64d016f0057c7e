"""`python agent.pyz JOB.json`, or the job on stdin: do it and print the result as JSON.

Exit status 0 when the job was done, 1 when it failed; the error is in the JSON either way.
`--relay` and `--cache` are for transports that reach another machine: see the modules so named.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError, FileError, UsageError

_TOOLS = ("--relay", "--cache")


def main(arguments: list[str]) -> int:
    """Read a job, do it, print what came out."""
    if arguments and arguments[0] in _TOOLS:
        tool = import_module(f"edgekit.agent.{arguments[0].removeprefix('--')}")
        status: int = tool.main(arguments[1:])
        return status
    # Runtimes print: whatever goes to stdout while they work belongs on stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer = _answer(arguments)
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    return 0 if answer["ok"] else 1


def _answer(arguments: list[str]) -> dict[str, Any]:
    from edgekit.agent.service import perform
    from edgekit.job import LONGEST_JOB, failure_json, parse_job

    try:
        if len(arguments) > 1:
            raise UsageError("one job at a time", hint="python -m edgekit.agent JOB.json")
        if arguments:
            with Path(arguments[0]).open(encoding="utf-8") as stream:
                text = stream.read(LONGEST_JOB + 1)
        else:
            text = sys.stdin.read(LONGEST_JOB + 1)
        return perform(parse_job(text)).to_json()
    except EdgekitError as error:
        return failure_json(error)
    except UnicodeDecodeError as error:
        return failure_json(UsageError(f"job: not UTF-8: {error.reason}"))
    except OSError as error:
        return failure_json(FileError.from_os_error(error))
    except Exception as error:
        import traceback

        traceback.print_exc()
        return failure_json(EdgekitError(f"agent: {type(error).__name__}: {error}"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
