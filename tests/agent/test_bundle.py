from __future__ import annotations

import ast
import io
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pytest

from edgekit.agent.bundle import bundle_bytes, write_bundle
from edgekit.job import Job, parse_result


@pytest.fixture(scope="module")
def sources():
    with zipfile.ZipFile(io.BytesIO(bundle_bytes())) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_same_sources_give_the_same_bytes(tmp_path):
    assert bundle_bytes() == bundle_bytes()
    assert write_bundle(tmp_path / "agent.pyz").read_bytes() == bundle_bytes()


def test_neither_the_place_nor_the_age_of_the_sources_is_in_the_bytes(tmp_path, checkout):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(checkout / "edgekit", tmp_path / "edgekit", ignore=ignored)
    for path in tmp_path.rglob("*.py"):
        os.utime(path, (0, 10**9))
    script = "import sys; from edgekit.agent.bundle import bundle_bytes;"
    done = subprocess.run(
        [sys.executable, "-c", f"{script} sys.stdout.buffer.write(bundle_bytes())"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.stdout == bundle_bytes()


def imported(source, name):
    """Modules of edgekit that a shipped file imports, wherever the import stands."""
    package = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name}: relative import in {package}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_module_of_edgekit_that_a_shipped_file_imports_is_shipped(sources, checkout):
    for name, source in sources.items():
        for module in imported(source, name):
            path = module.replace(".", "/")
            for file in (f"{path}.py", f"{path}/__init__.py"):
                if (checkout / file).is_file() and module.startswith("edgekit"):
                    assert file in sources, f"{name} imports {module}"


def test_nothing_but_the_standard_library_numpy_and_edgekit_is_imported_by_name(sources):
    allowed = sys.stdlib_module_names | {"edgekit", "numpy"}
    for name, source in sources.items():
        for module in imported(source, name):
            assert module.partition(".")[0] in allowed, f"{name} imports {module}"


def test_the_syntax_is_python_3_10s(sources):
    # Boards are behind: Debian 12 has 3.11, others less.
    for name, source in sources.items():
        ast.parse(source, name, feature_version=(3, 10))


def run_bundle(python, pyz, job):
    done = subprocess.run(
        [python, "-I", pyz],
        input=json.dumps(job.to_json()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return parse_result(done.stdout)


def test_the_bundle_runs_a_model_without_edgekit_on_the_path(tmp_path, tiny_models):
    # -S would hide the runtimes too; a copy of the package elsewhere must not be what runs.
    pyz = write_bundle(tmp_path / "agent.pyz")
    probe = "import runpy, sys; sys.argv = ['agent']; import edgekit; print(edgekit.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(pyz)!r}); {probe}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(pyz))
    np.save(tmp_path / "x.npy", np.ones((3, 8, 8, 3), np.float32))
    job = Job(
        action="run",
        runtime="litert",
        model=str(tiny_models / "float.tflite"),
        inputs=str(tmp_path / "x.npy"),
        outputs=str(tmp_path / "y.npy"),
    )
    assert run_bundle(sys.executable, pyz, job).samples == 3


@pytest.mark.slow
@pytest.mark.network
def test_the_bundle_runs_in_an_environment_of_litert_and_numpy_alone(tmp_path, tiny_models):
    place = tmp_path / "bare"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*install, "ai-edge-litert", "numpy"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"ai-edge-litert cannot be installed: {done.stderr.strip()[-200:]}")
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"edgekit", "tensorflow", "click", "rich"} & {
        package["name"] for package in json.loads(listed.stdout)
    }
    pyz = write_bundle(tmp_path / "agent.pyz")
    result = run_bundle(
        python,
        pyz,
        Job(action="measure", runtime="litert", model=str(tiny_models / "int8.tflite")),
    )
    assert result.placement.executors == {"XNNPACK": result.placement.ops}
    assert result.measurement is not None
