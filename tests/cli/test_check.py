from __future__ import annotations

import pytest

from edgekit.cli import main


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "error: no budget was named"),
        (["a.toml", "b.toml"], "error: 2 budgets were named"),
        (["none.toml"], "error: none.toml: no such file"),
        (["bad.toml"], "error: bad.toml: gate.a: unknown key max_m"),
        (["a.toml", "-o", "b.toml"], "error: --out goes with --init"),
        (["--init", "a", "--gate", "x"], "error: --gate goes without --init"),
        (["--init"], "error: no artifact was named"),
        (["a.toml", "--budget", "soon"], "error: "),
        (["a.toml", "--annotations", "none", "--seed", "x"], "error: "),
    ],
)
def test_a_wrong_command_line_or_file_is_status_2_and_one_error_line(
    tmp_path, capsys, arguments, complaint
):
    (tmp_path / "bad.toml").write_text('[gate.a]\nartifact = "x"\nmax_m = 1\n')
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(complaint)
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1


def test_an_error_before_the_first_gate_is_annotated_where_a_runner_reads(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (tmp_path / "b.toml").write_text("[gate.a]\nmax_mb = 1\n")
    assert main(["check", "b.toml"]) == 2
    printed = capsys.readouterr()
    assert printed.out == (
        "::error title=edgekit check::b.toml: gate.a: the key 'artifact' is missing\n"
    )
    assert main(["check", "b.toml", "--annotations", "none"]) == 2
    assert capsys.readouterr().out == ""
    assert main(["check", "b.toml", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_the_table_shows_figure_limit_and_verdict(make_artifact, tmp_path, capsys):
    artifact = make_artifact("onnx")
    summary = tmp_path / "summary.md"
    (tmp_path / "b.toml").write_text(
        f'[gate.small]\nartifact = "{artifact.path}"\nmax_mb = 0.001\n'
        f'[gate.smaller]\nartifact = "{artifact.path}"\nmax_mb = 100\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        assert main(["check", "b.toml", "-q", "--annotations", "github"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "b.toml: regression"
    assert lines[3].split() == [
        "small", "max_mb", f"{artifact.bytes / 1e6:.4f}", "MB", "at", "most", "0.001", "MB",
        "regression",
    ]  # fmt: skip
    assert lines[4].endswith("pass")
    assert lines[5].startswith("::error file=b.toml,line=3,title=edgekit check%3A small::max_mb")
    assert printed.err.startswith("error: 1 of 2 limits broken\n  small: max_mb ")
    assert summary.read_text().startswith("### edgekit check: b.toml: regression")
