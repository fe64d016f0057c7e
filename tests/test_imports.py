"""What importing costs, and that it works where nothing optional is installed."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"numpy", "tensorflow", "keras", "onnx", "onnxruntime", "openvino", "rich", "matplotlib"}

# Imports modules with only the named packages (and the standard library) in reach.
IMPORT_ALL = """
import importlib, importlib.abc, json, pkgutil, sys
allowed = set(json.loads(sys.argv[1])) | set(sys.stdlib_module_names)
class OnlyAllowed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, OnlyAllowed())
import edgekit
wanted = tuple(json.loads(sys.argv[2]))
names = [
    module.name
    for module in pkgutil.walk_packages(edgekit.__path__, "edgekit.")
    if module.name.startswith(wanted) and not module.name.endswith("__main__")
]
for name in names:
    importlib.import_module(name)
print(json.dumps(names))
"""


def import_all(allowed, wanted=("edgekit.",)):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(sorted(allowed)), json.dumps(wanted)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded_by(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_command_line_imports_nothing_heavy():
    assert not HEAVY & loaded_by("import edgekit.cli")


def test_help_and_version_import_nothing_heavy():
    for argument in ("--help", "--version"):
        assert not HEAVY & loaded_by(f"from edgekit.cli import main\nmain([{argument!r}])")


def test_every_verbs_help_imports_nothing_heavy():
    code = "from edgekit.cli import main, VERBS\nfor verb in VERBS: main([verb, '--help'])"
    assert not HEAVY & loaded_by(code)


def test_every_module_imports_with_only_the_core_packages_installed():
    names = import_all({"edgekit", "click", "rich", "pygments", "markdown_it", "mdurl", "numpy"})
    assert {"edgekit.cli.doctor", "edgekit.verbs.listing", "edgekit.agent"} <= set(names)


def test_what_is_shipped_to_a_device_imports_with_the_standard_library_alone():
    shipped = (
        "agent",
        "job",
        "measure",
        "device",
        "fields",
        "files",
        "process",
        "spec",
        "artifact",
    )
    names = import_all({"edgekit"}, [f"edgekit.{name}" for name in shipped])
    assert {"edgekit.job", "edgekit.agent.service"} <= set(names)
