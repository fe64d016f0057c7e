from __future__ import annotations

import pytest

from edgekit.device import read_device_toml
from edgekit.errors import DeviceError
from edgekit.transports.adb.options import FOLDER, read_options


@pytest.fixture
def read(tmp_path):
    def read(text, top=""):
        path = tmp_path / "phone.toml"
        path.write_text(f'transport = "adb"\n{top}\n[adb]\n{text}\n')
        return read_options(read_device_toml(path))

    return read


def test_a_tool_beside_the_profile_is_found(read, tmp_path):
    options = read('benchmark = "benchmark_model"')
    assert options.benchmark == tmp_path / "benchmark_model"
    assert (options.serial, options.port, options.folder) == (None, None, FOLDER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither python nor benchmark"),
        ('python = "python3"\nbenchmark = "b"', "both python and benchmark"),
        ('python = "python3"\nport = 0', "port: 0 is outside"),
        ('python = "python3"\nfolder = "edgekit"', "no folder's whole path"),
        ('python = "python3"\nfolder = "/data/../etc"', "no folder's whole path"),
        ('python = "python3"\nkeep_s = 5', "less than patience_s"),
        ('python = "python3"\ncores = [-1]', "not a whole number"),
        ('python = "python3"\nserial = "a\\nb"', "is no name"),
        ('python = "python3"\nserail = "x"', "unknown key serail"),
    ],
)
def test_a_wrong_table_is_refused_by_key(read, text, told):
    with pytest.raises(DeviceError, match=told):
        read(text)


def test_an_interpreter_of_this_machine_is_not_the_phones(read):
    with pytest.raises(DeviceError, match="interpreter of this machine"):
        read('benchmark = "b"', 'python = "/usr/bin/python3"')
