"""Sigstore, where there is no network; and who may be asked for."""

from __future__ import annotations

import pytest

from edgekit.bundles.keyless import TOKEN
from edgekit.cli import main


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Whatever the machine has, requests end at a port where nobody listens."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(TOKEN, raising=False)


def test_without_a_network_nothing_is_signed_and_one_line_says_so(
    offline, artifacts, tmp_path, capsys
):
    words = ["bundle", str(artifacts[0].path), "--platform", "cpp", "-q", "--sign", "sigstore"]
    assert main([*words, "-o", str(tmp_path / "b")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: Sigstore cannot be reached: ")
    assert told.count("error:") == 1
    assert "--sign KEY" in told
    assert not (tmp_path / "b").exists()


def test_without_a_network_nobody_is_believed(offline, bundle, capsys):
    words = ["verify", str(bundle), "-q", "--identity", "me@example.org", "--issuer", "https://x"]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: Sigstore cannot be reached: ")


@pytest.mark.parametrize(
    "words",
    [["--identity", "me@example.org"], ["--issuer", "https://x"],
     ["--identity", "a", "--issuer", "https://x", "--key", "k.pub"]],
)  # fmt: skip
def test_an_identity_needs_its_issuer_and_no_key(bundle, capsys, words):
    assert main(["verify", str(bundle), *words]) == 2
    assert "--identity and --issuer say together" in capsys.readouterr().err
