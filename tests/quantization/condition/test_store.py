from __future__ import annotations

import numpy as np

from edgekit.quantization.condition.store import Store


def test_what_is_beyond_the_bound_goes_to_disk_and_comes_back(tmp_path):
    store = Store(tmp_path, most_bytes=100)
    values = {index: np.arange(10, dtype=np.float32) + index for index in range(5)}
    for index, value in values.items():
        store.put("x", index, value)
    assert store.bytes == 80
    assert len(list(tmp_path.iterdir())) == 3
    for index, value in values.items():
        np.testing.assert_array_equal(store.get("x", index), value)


def test_forgetting_frees_memory_and_files(tmp_path):
    store = Store(tmp_path, most_bytes=40)
    for name in "xyz":
        store.put(name, 0, np.zeros(10, np.float32))
    store.keep_only("z")
    assert store.bytes == 0
    assert len(list(tmp_path.iterdir())) == 1
    store.keep_only("")
    assert list(tmp_path.iterdir()) == []
