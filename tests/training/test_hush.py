from __future__ import annotations

import os

import pytest

from edgekit.training.hush import hushed_stderr


def test_what_native_code_writes_is_kept_back_and_what_comes_after_is_not(capfd):
    with hushed_stderr():
        os.write(2, b"chatter\n")
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "news\n"


def test_what_was_kept_back_is_shown_if_the_start_fails(capfd):
    def start():
        with hushed_stderr():
            os.write(2, b"no such symbol\n")
            raise ImportError

    with pytest.raises(ImportError):
        start()
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "no such symbol\nnews\n"
