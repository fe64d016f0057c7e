"""BUDGET.toml: what it may say, and what is refused with file and key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.checking.budget import LIMITS, read_budget, refuse_beyond
from edgekit.errors import UsageError
from edgekit.measuring.contenders import Asked
from edgekit.metrics import METRICS

GATE = '[gate.a]\nartifact = "build/m/tflite-int8"\n'


@pytest.fixture
def read(tmp_path):
    def parse(text):
        file = tmp_path / "ci" / "budget.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return read_budget(file)

    return parse


def test_gates_stand_in_the_order_of_the_file_with_limits_in_units(read):
    budget = read(
        'budget_s = 10\n[require]\ncpu_model = "X"\n'
        f'{GATE}max_ms = 2\nmax_mb = 0.5\n[gate.a.require]\nmachine = "arm64"\n'
        '[gate."b c"]\nartifact = "/abs/m"\nmax_slower = "3 %"\nbaseline = "m@threads=2"\n'
        'budget_s = 60\ndevice = "boards/pi.toml"\n'
    )
    a, b = budget.gates
    folder = budget.path.parent
    assert (a.name, a.limits, a.budget_s) == ("a", {"max_ms": 2.0, "max_mb": 0.5}, 10.0)
    assert a.require == {"cpu_model": "X", "machine": "arm64"}
    assert (b.name, b.limits, b.budget_s) == ("b c", {"max_slower": 3.0}, 60.0)
    assert b.require == {"cpu_model": "X"}
    assert (a.device, b.device) == ("local-cpu", str(folder / "boards/pi.toml"))


def test_paths_are_meant_from_the_files_folder(read):
    gates = read(
        f'{GATE}baseline_run = "runs/nightly.json/2"\ncommon = "../x"\nmax_slower = "3%"\n'
        f'[gate.b]\nartifact = "m"\nbaseline_run = "run:12/1"\nmax_slower = "0 %"\n'
        '[gate.c]\nartifact = "m"\nmin_accuracy = 90\nevaluate = true\ndataset = "data/x.npz"\n'
        '[gate.d]\nartifact = "m"\nmin_accuracy = 90\nevaluate = true\ndataset = "glyphs"\n'
    )
    folder = gates.path.parent
    a, b, c, d = gates.gates
    assert a.artifact == Asked(folder / "build/m/tflite-int8")
    assert (a.baseline_run, a.common) == (
        str(folder / "runs/nightly.json/2"),
        Asked(folder / "../x"),
    )
    assert b.baseline_run == "run:12/1"
    assert (c.dataset, d.dataset) == (folder / "data/x.npz", "glyphs")


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ("", "it holds no gate", "--init"),
        ("[gate.a]\n", "gate.a: the key 'artifact' is missing", None),
        (GATE, "gate.a: limits: it has none", "max_ms"),
        (f"{GATE}max_m = 2", "gate.a: unknown key max_m", "did you mean max_ms?"),
        ("[gates.a]\nmax_ms = 1", "unknown key gates", "did you mean gate?"),
        (f"{GATE}max_ms = '2'", "gate.a: max_ms: expected a number", None),
        (f"{GATE}max_ms = nan", "gate.a: max_ms: nan is outside", None),
        (f"{GATE}max_ms = -1", "gate.a: max_ms: -1 is outside", None),
        (f"{GATE}max_slower = 0.03", "max_slower: expected text, found 0.03", 'max_slower = "3 %"'),
        (f"{GATE}max_slower = 3", "max_slower: expected text, found 3", 'max_slower = "3 %"'),
        (f'{GATE}max_slower = "3"', "'3' is no percentage", 'max_slower = "3 %"'),
        (f'{GATE}max_slower = "nan %"', "'nan %' is no percentage", None),
        (f'{GATE}max_slower = "-100 %"', "'-100 %' is no percentage in -99", None),
        (f'{GATE}max_slower = "3 %"', "max_slower: no baseline: slower than what?", "baseline ="),
        (
            f'{GATE}max_slower = "3 %"\nbaseline = "x"\nbaseline_run = "run:1"',
            "both baseline and baseline_run",
            None,
        ),
        (f'{GATE}max_mb = 1\nbaseline = "x"', "baseline: without max_slower it limits", None),
        (f'{GATE}max_mb = 1\ncommon = "x"', "common: it goes with baseline_run", None),
        (f'{GATE}max_mb = 1\nclock = "wall"', "clock: it goes with max_ms", None),
        (f'{GATE}max_ms = 1\nclock = "gpu"', "clock: 'gpu' is not one of cpu, wall", None),
        (f"{GATE}max_mb = 1\nevaluate = true", "evaluate: it goes with min_accuracy", None),
        (f"{GATE}min_accuracy = 2\nsamples = 9", "samples: it goes with evaluate", None),
        (f'{GATE}min_accuracy = 2\ndataset = "x"', "dataset: it goes with evaluate", None),
        (f'{GATE}max_mb = 1\njudge = "mood"', "judge: 'mood' is not one of value, interval", None),
        (f'{GATE}max_mb = 1\njudge = "value"', "judge: it goes with min_accuracy", None),
        (f"{GATE}max_mb = 1\nbudget_s = 0", "budget_s: 0 is outside 1…86400", None),
        (f'[require]\nmood = "x"\n{GATE}max_mb = 1', "require: unknown key mood", None),
        ("gate = 3", "gate: expected a table", None),
        ("[gate]\na = 3", "gate: a: expected a table", None),
        (f"{GATE}max_mb = 1\n{GATE}", "not valid TOML", None),
        ('[gate."a\\nb"]\nmax_mb = 1', "is no name", None),
        (f"{GATE}max_mb = 1{'0' * 5000}", "not valid TOML", None),
        ("x = " + "[" * 5000, "not valid TOML", None),
    ],
)
def test_what_is_wrong_is_a_usage_error_that_names_the_key(read, text, complaint, hint):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert "budget.toml: " in caught.value.message
    assert complaint in caught.value.message
    assert hint is None or hint in caught.value.hint


def test_a_file_that_is_not_there_or_no_text_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_budget(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="a folder, not a BUDGET"):
        read_budget(tmp_path)
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_budget(tmp_path / "b.toml")
    (tmp_path / "b.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(UsageError, match="more than"):
        read_budget(tmp_path / "b.toml")


def test_lines_of_gates_and_keys_are_known(read):
    (gate,) = read(
        f'# max_mb = 3\n[require]\nmachine = "x"\n{GATE}\n  max_mb = 1 # here\n'
        '[gate.a.require]\nsystem = "y"\n'
    ).gates
    assert gate.lines == {"": 4, "artifact": 5, "max_mb": 7}


@given(st.sampled_from([*LIMITS, "judge", "device", "x"]), st.text(max_size=20))
def test_whatever_stands_there_is_a_budget_or_a_usage_error(tmp_path_factory, key, value):
    file = Path(tmp_path_factory.getbasetemp()) / "any.toml"
    file.write_bytes(f"{GATE}max_mb = 1\n{key} = {value}\n".encode("utf-8", "replace"))
    with suppress(UsageError):
        assert len(read_budget(file).gates) == 1


def test_what_a_metric_can_be_bounds_its_limits(read):
    (gate,) = read(f"{GATE}min_accuracy = 450\nmax_drop = 120\n").gates
    refuse_beyond(gate, METRICS["return"], "budget.toml: gate.a")
    with pytest.raises(UsageError, match=r"gate\.a: min_accuracy: 450 is outside 0…100"):
        refuse_beyond(gate, METRICS["top1"], "budget.toml: gate.a")
    (gate,) = read(f"{GATE}min_accuracy = 0.5\n").gates
    refuse_beyond(gate, METRICS["psnr"], "budget.toml: gate.a")
    with pytest.raises(UsageError, match="in percent") as caught:
        refuse_beyond(gate, METRICS["top1"], "budget.toml: gate.a")
    assert caught.value.hint == "min_accuracy = 50"
