from __future__ import annotations

import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import errors
from edgekit.errors import (
    EdgekitError,
    FileError,
    GateError,
    InconclusiveError,
    MissingExtraError,
    UsageError,
)

ALL = sorted(errors._types().values(), key=lambda kind: kind.__name__)


def test_an_error_renders_as_one_error_line_facts_limit_and_hint():
    error = GateError(
        "mobilenet int8 loses 2.31 points",
        "fp32 71.80 %, int8 69.49 %",
        limit="gate.max_drop in model.toml",
        hint="--max-drop 3",
    )
    assert error.render().splitlines() == [
        "error: mobilenet int8 loses 2.31 points",
        "  fp32 71.80 %, int8 69.49 %",
        "  limit: gate.max_drop in model.toml",
        "  try:   --max-drop 3",
    ]


def test_a_message_of_several_lines_becomes_one_error_line():
    assert EdgekitError("first\n  second").render() == "error: first second"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_crosses_a_process_boundary_with_its_type_and_fields(kind):
    sent = {"type": kind.__name__, "message": "m", "details": ["a"], "limit": "l", "hint": "h"}
    error = EdgekitError.from_json(json.loads(json.dumps(sent)))
    assert type(error) is kind
    assert error.to_json() == sent


@given(message=st.text(), details=st.lists(st.text()), hint=st.none() | st.text())
def test_what_is_sent_is_what_arrives(message, details, hint):
    error = EdgekitError(message, *details, hint=hint)
    assert EdgekitError.from_json(json.loads(json.dumps(error.to_json()))).to_json() == (
        error.to_json()
    )


def test_an_unknown_type_from_another_version_still_is_an_error():
    error = EdgekitError.from_json({"type": "FromTheFuture", "message": "m"})
    assert type(error) is EdgekitError
    assert error.message == "m"


def test_usage_errors_exit_with_two_what_is_undecided_with_three_and_all_others_with_one():
    special = (UsageError, InconclusiveError)
    assert {kind.exit_code for kind in ALL if issubclass(kind, UsageError)} == {2}
    assert {kind.exit_code for kind in ALL if issubclass(kind, InconclusiveError)} == {3}
    assert {kind.exit_code for kind in ALL if not issubclass(kind, special)} == {1}


def test_a_missing_package_names_the_command_that_installs_it():
    error = MissingExtraError("onnx", "onnx", "export to ONNX")
    assert error.message == "export to ONNX needs onnx, which is not installed"
    assert error.hint == errors.install_command("onnx")


def test_a_checkout_names_itself_and_a_wheel_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "edgekit" / "errors.py"))
    assert errors.install_command("onnx") == "pip install 'edgekit[onnx]'"
    (tmp_path / "pyproject.toml").touch()
    assert errors.install_command("onnx") == f"pip install -e '{tmp_path}[onnx]'"
    monkeypatch.chdir(tmp_path)
    assert errors.install_command("onnx") == "pip install -e '.[onnx]'"


def test_a_full_disk_names_the_file_and_a_remedy():
    error = FileError.from_os_error(OSError(errno.ENOSPC, "No space left on device", "x/model"))
    assert error.message == "x/model: No space left on device"
    assert "--out" in error.hint


def test_a_full_place_without_a_name_may_be_stdout_so_no_option_is_suggested():
    error = FileError.from_os_error(OSError(errno.ENOSPC, "No space left on device"))
    assert error.hint == "free some space"
