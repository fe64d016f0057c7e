from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.artifact import Artifact
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.originals import TEXTS
from edgekit.bundles.wordpiece import write_wordpiece
from edgekit.errors import DeviceError
from edgekit.tokenizing import train_wordpiece
from edgekit.transports.web.chromium import NAMES
from edgekit.transports.web.files import runtime_versions
from tests.bundles.texts import sample_texts

QUIET = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--enable-unsafe-swiftshader",
)  # fmt: skip


PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Mobile Safari/537.36"
)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Two pairs of keys: mine.pem, mine.pub, theirs.pem, theirs.pub."""
    return write_keys(tmp_path_factory.mktemp("keys"), "mine", "theirs")


def write_keys(folder, *names, curve=ec.SECP256R1):
    """Pairs of keys, NAME.pem and NAME.pub, in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        key = ec.generate_private_key(curve())
        (folder / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return folder


@pytest.fixture(scope="session")
def artifacts(request):
    """The two int8 artifacts of a small network whose answers are known, for two runtimes."""
    known = request.config.rootpath / "devices" / "known"
    return [Artifact.open(known / label) for label in ("tflite-int8", "onnx-int8")]


@pytest.fixture(scope="session")
def signed_once(artifacts, keys, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "signed"
    order = Order("known", "1.2.3", "python", task="classification", licence="Apache-2.0")
    make_bundle(artifacts, order, out, key=keys / "mine.pem")
    return out


@pytest.fixture
def bundle(signed_once, tmp_path):
    """A signed bundle of one's own, to be broken."""
    return shutil.copytree(signed_once, tmp_path / "bundle")


class Files(http.server.SimpleHTTPRequestHandler):
    """Any static server; what is in `changed` is sent instead of the file."""

    def end_headers(self):
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def do_GET(self):
        name = urlsplit(self.path).path.lstrip("/")
        changed = self.server.changed.get(name)
        if changed is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(name))
        self.send_header("Content-Length", str(len(changed)))
        self.end_headers()
        self.wfile.write(changed)

    def log_message(self, *_):
        pass


@contextmanager
def serving_folder(folder, changed=None, headers=None):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Files, directory=str(folder))
    )
    server.changed = changed or {}
    server.headers = headers or {}
    server.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def texts():
    """A thousand texts, awkward ones among them."""
    return sample_texts(1000)


@pytest.fixture(scope="session")
def pieces(tmp_path_factory):
    """A WordPiece tokenizer of many scripts: its reference, its file and its wordpiece.json."""
    folder = tmp_path_factory.mktemp("pieces")
    file, table = folder / "tokenizer.json", folder / "wordpiece.json"
    file.write_bytes(train_wordpiece([*TEXTS, *sample_texts(200, seed=1)], 800))
    write_wordpiece(file, table)
    return f"wordpiece:{hashlib.sha256(file.read_bytes()).hexdigest()}", file, table


@pytest.fixture(scope="session")
def serving():
    """Serves a folder for a while: `serving(folder, {path: other bytes}, headers)`."""
    return serving_folder


@pytest.fixture(scope="session")
def web_order():
    return Order("known", "1.2.3", "web", task="image-classification", licence="Apache-2.0")


@pytest.fixture(scope="session")
def app(artifacts, keys, web_order, tmp_path_factory):
    """A signed bundle of a small network for both runtimes."""
    try:
        runtime_versions()
    except DeviceError:
        pytest.skip("no LiteRT.js and onnxruntime-web here: make web, which needs npm")
    out = tmp_path_factory.mktemp("web") / "app"
    make_bundle(artifacts, web_order, out, key=keys / "mine.pem")
    return out


@pytest.fixture(scope="module")
def browser():
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=executable, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(app):
    with serving_folder(app) as server:
        yield server.address


@pytest.fixture
def opened(browser, served):
    """Opens the app; afterwards it must have asked nobody else and complained of nothing."""
    contexts, asked, said = [], [], []

    def at(query="", *, size=None, scheme="light", address=served, ready=True):
        context = browser.new_context(
            viewport=size or {"width": 430, "height": 932}, color_scheme=scheme, user_agent=PHONE,
            device_scale_factor=2, has_touch=True, is_mobile=True,
            permissions=["camera", "microphone"],
        )  # fmt: skip
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: said.append((message.type, message.text)))
        page.on("pageerror", lambda error: said.append(("error", str(error))))
        page.goto(address + query)
        if ready:
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield at
    for context in contexts:
        context.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith("blob:")} == {"127.0.0.1"}
    assert said == []


@pytest.fixture(scope="module")
def modules(browser, served):
    """Calls a function of the app's modules; one page serves all."""
    page = browser.new_page()
    page.goto(served + "contract.json")  # any document of that origin

    def call(module, body, given=None):
        return page.evaluate(
            f"async (given) => {{ const it = await import('/app/{module}.js'); {body} }}", given
        )

    yield call
    page.close()


# -- C++ -------------------------------------------------------------------------------------------

CPP_LABELS = ("onnx-int8", "tflite-int8", "openvino-int8", "tflite-int8-int8", "openvino-fp32")
CPP_ORDER = Order("known-glyphs", "1.2.3", "cpp", licence="Apache-2.0")


LIBCRYPTO = any(
    (Path(place) / "openssl/evp.h").is_file() for place in ("/usr/include", "/usr/local/include")
)


def _run(*words):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def openvino_dir():
    """Where CMake finds the OpenVINO of this environment, as an option."""
    openvino = pytest.importorskip("openvino.utils")
    return f"-DOpenVINO_DIR={openvino.get_cmake_path()}"


@pytest.fixture(scope="session")
def cpp_artifacts(request):
    folder = request.config.rootpath / "devices" / "known"
    return [Artifact.open(folder / label) for label in CPP_LABELS]


@pytest.fixture(scope="session")
def cpp_built(made_once, cpp_artifacts, openvino_dir):
    """bundle/ as it was made, build/ beside it with sanitizers: built once a run."""

    def fill(folder):
        # CMake's build folder knows its own place, which a folder of `made_once` changes.
        place = folder.with_name("cpp-built")
        shutil.rmtree(place, ignore_errors=True)
        make_bundle(
            cpp_artifacts, replace(CPP_ORDER, choice={"laptop": "openvino-int8"}), place / "bundle",
            key=write_keys(place, "mine") / "mine.pem",
        )  # fmt: skip
        _run(
            "cmake", "-S", place / "bundle", "-B", place / "build", "-DCMAKE_BUILD_TYPE=None",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror -O0 -fsanitize=address,undefined "
            "-fno-sanitize-recover=all",
            openvino_dir, f"-DWITH_SIGNATURES={'ON' if LIBCRYPTO else 'OFF'}",
        )  # fmt: skip
        _run("cmake", "--build", place / "build", "--parallel", "2")
        _run(
            "g++", "-std=c++17", "-O0", "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all", "-o", place / "steps",
            Path(__file__).with_name("cpp_steps.cpp"),
            "-I", place / "bundle/src", "-I", place / "bundle/include",
            place / "build/libknown_glyphs.a", *(["-lcrypto"] if LIBCRYPTO else []),
        )  # fmt: skip
        (folder / "place").write_text(str(place))

    return Path((made_once("cpp", fill) / "place").read_text())


APP = """
#include <cstdio>
#include <cstring>
#include <vector>
#include "known_glyphs/model.hpp"

namespace ours = known_glyphs;

std::vector<ours::Found> seen(ours::Model& model) {
  if (model.rate_hz() > 0) return model.predict(nullptr, 0);  // silence
  if (model.length() > 0) return model.predict("");
  const std::vector<std::uint8_t> frame(100 * (3 * 50 + 14), 200);
  return model.predict(ours::Picture{frame.data(), 50, 100, 3 * 50 + 14});
}

// app BUNDLE ARTIFACT SOUND.wav...: the first output for each sound, a line.
int main(int count, char** words) {
  ours::Options options;
  options.artifact = words[2];
  ours::Model model(words[1], options);
  std::printf("%zu classes, %d cases, %s\\n", seen(model).size(), model.check().cases,
              model.artifact().c_str());
  for (int at = 3; at < count; ++at) {
    const auto sound = ours::read_wav(words[at], model.rate_hz(), model.length());
    const ours::Tensors outputs = model.run(model.prepare(sound.data(), sound.size()));
    const ours::Tensor& first = outputs.begin()->second;
    std::vector<float> values(first.bytes.size() / sizeof(float));
    std::memcpy(values.data(), first.bytes.data(), first.bytes.size());
    for (const float value : values) std::printf("%.9g ", static_cast<double>(value));
    std::printf("\\n");
  }
}
"""
LISTS = """
cmake_minimum_required(VERSION 3.18)
project(app CXX)
find_package(known_glyphs 1.2 REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE known_glyphs::known_glyphs)
"""


@pytest.fixture(scope="session")
def cpp_app(made_once, cpp_built, openvino_dir):
    """An app that finds the package where `cmake --install` put it."""

    def fill(folder):
        place = folder.with_name("cpp-app")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        _run("cmake", "--install", cpp_built / "build", "--prefix", cpp_built / "installed")
        (place / "app.cpp").write_text(APP)
        (place / "CMakeLists.txt").write_text(LISTS)
        _run(
            "cmake", "-S", place, "-B", place / "build", openvino_dir,
            f"-DCMAKE_PREFIX_PATH={cpp_built / 'installed'}",
            "-DCMAKE_CXX_FLAGS=-fsanitize=address,undefined",
        )  # fmt: skip
        _run("cmake", "--build", place / "build")
        (folder / "place").write_text(str(place / "build" / "app"))

    return Path((made_once("cpp-app-place", fill) / "place").read_text())
