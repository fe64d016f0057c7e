"""What keyword-spotting's features are, against numpy's own Fourier transform."""

from __future__ import annotations

import importlib.util

import numpy as np

from edgekit.models import resolve_model


def features():
    path = resolve_model("keyword-spotting").path / "model.py"
    spec = importlib.util.spec_from_file_location("keyword_spotting_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_kernel_is_a_windowed_fourier_transform_at_four_phases():
    kernel = features().fourier_basis(64)[:, 0]
    frame = np.random.default_rng(0).normal(size=64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    wanted = np.fft.rfft(frame * window) * (np.pi / 2 / window.sum())
    cosine, sine, other, another = np.split(frame @ kernel, 4)
    assert np.allclose(cosine, wanted.real, atol=1e-6)
    assert np.allclose(sine, wanted.imag, atol=1e-6)
    assert np.allclose(other, -cosine, atol=1e-6)
    assert np.allclose(another, -sine, atol=1e-6)


def test_a_tone_lights_its_own_band_whatever_its_phase():
    module = features()
    layer = module.LogMel(8000, 256, 128, 32, 0.01)
    basis, mel = module.fourier_basis(256)[:, 0], np.tile(module.mel_weights(8000, 256, 32), (4, 1))
    loudest = []
    for phase in (0.0, 0.7, 2.0):
        tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000 + phase).astype(np.float32)
        found = np.asarray(layer(tone[None, :, None]))[0]
        assert found.shape == (61, 32)
        frames = np.stack([tone[at * 128 : at * 128 + 256] for at in range(61)])
        wanted = np.log(np.maximum(frames @ basis, 0) @ mel + 0.01)
        assert np.allclose(found, wanted, atol=1e-4)
        loudest.append(found.argmax(axis=1))
    assert len({int(band) for bands in loudest for band in bands}) == 1
    silence = np.asarray(layer(np.zeros((1, 8000, 1), np.float32)))
    assert np.allclose(silence, np.log(0.01), atol=1e-5)
