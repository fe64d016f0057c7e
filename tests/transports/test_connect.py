from __future__ import annotations

import pytest

from edgekit.errors import DeviceError, UsageError
from edgekit.transports.connect import connect, find_profile
from edgekit.transports.local import LocalTransport


def test_this_machine_is_reached_by_name_and_answers():
    device = connect("local-cpu")
    assert isinstance(device.transport, LocalTransport)
    assert device.environment["runtimes"]["litert"]["version"]


def test_a_profile_is_found_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('transport = "local"\n[runtime]\nthreads = 3')
    assert find_profile(str(path)).threads == 3


def test_an_unknown_device_is_a_usage_error_with_a_suggestion():
    with pytest.raises(UsageError, match="unknown device 'locl-cpu'") as caught:
        connect("locl-cpu")
    assert caught.value.hint.startswith("did you mean local-cpu")


def test_a_device_that_is_not_what_its_profile_requires_is_refused(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text('transport = "local"\n[require]\nmachine = "riscv64"')
    with pytest.raises(DeviceError, match=r"machine is .*, required riscv64") as caught:
        connect(str(path))
    assert caught.value.limit == f"require.machine in {path}"


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ('transport = "telepathy"', "transport: unknown transport 'telepathy'", "one of: "),
        ('transport = "locla"', "transport: unknown transport 'locla'", "did you mean local?"),
        (
            'transport = "local"\n[runtime]\nprefer = ["litert", "onnxruntim"]',
            "runtime: prefer: unknown runtime 'onnxruntim'",
            "did you mean onnxruntime?",
        ),
        (
            'transport = "local"\n[runtime]\nprefer = ["?"]',
            "runtime: prefer: unknown runtime '?'",
            "one of: benchmark-model, litert, ",
        ),
        (
            'transport = "local"\n[runtime]\nprefer = ["onnxruntime"]\ndelegate = "cudaa"',
            "delegate 'cudaa' is not present on this device",
            "did you mean cuda?",
        ),
    ],
)
def test_a_name_that_nobody_has_is_told_with_its_file_and_what_was_meant(
    tmp_path, text, complaint, hint
):
    path = tmp_path / "board.toml"
    path.write_text(text)
    with pytest.raises(DeviceError) as caught:
        connect(str(path))
    assert complaint in caught.value.message
    assert caught.value.hint.startswith(hint)
    if "delegate" not in complaint:
        assert caught.value.message.startswith(f"{path}: ")
