"""Handlers that tests run in child processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from edgekit.errors import ModelError


def echo():
    return lambda payload, emit: payload


def loud():
    def handle(payload, emit):
        print("not an answer")
        sys.stdout.flush()
        os.write(1, b'{"answer": "forged"}\n')
        subprocess.run(["echo", "nor is this"], check=True)
        return {"heard": payload}

    return handle


def counting():
    def handle(payload, emit):
        for number in range(payload["to"]):
            emit({"number": number})
        return {"pid": os.getpid()}

    return handle


def failing():
    def handle(payload, emit):
        if payload.get("known"):
            raise ModelError("no such layer", "a detail", hint="another layer")
        raise ValueError("first line\nsecond line")

    return handle


def crashing():
    def handle(payload, emit):
        print("last words", file=sys.stderr, flush=True)
        if payload["signal"] == "SIGSEGV":
            ctypes.string_at(0)
        os.kill(os.getpid(), getattr(signal, payload["signal"]))
        time.sleep(60)

    return handle


def leaving():
    return lambda payload, emit: os._exit(payload["status"])


def hanging():
    def handle(payload, emit):
        emit({"pid": os.getpid()})
        while True:
            time.sleep(60)

    return handle


def full_disk():
    def handle(payload, emit):
        raise OSError(28, "No space left on device", "model.tflite")

    return handle
