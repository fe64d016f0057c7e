"""C++: a CMake project over OpenVINO, and over ONNX Runtime where there is one.

The project lies in `cpp_project/`, as it is but for its name. It reads the contract from the
bundle, and golden pictures as PPM, which needs no decoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.bundles.contents import Contents
from edgekit.bundles.platforms.base import Platform, refuse_dtypes
from edgekit.bundles.platforms.netpbm import write_ppm
from edgekit.errors import UsageError

_PROJECT = Path(__file__).parent / "cpp_project"
_DTYPES = ("uint8", "int8", "int32", "int64", "float16", "float32")
# Words of C++17, of the library's and CMake's own, and what C's headers leave among the names that
# belong to all: no namespace, no target.
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const
constexpr const_cast continue decltype default delete do double dynamic_cast else enum explicit
export extern false float for friend goto if inline int long mutable namespace new noexcept not
not_eq nullptr operator or or_eq private protected public register reinterpret_cast return short
signed sizeof static static_assert static_cast struct switch template this throw true try typedef
typeid typename union unsigned using virtual void volatile while xor xor_eq
all clean cmake detail help install main openvino ov package std test
abort abs acos asin atan atexit atof atoi atol bsearch calloc ceil clock cos cosh ctime difftime div
erf errno exit exp fabs fclose feof ferror fflush fgetc fgets floor fmod fopen fork fprintf fputc
fputs fread free freopen frexp fscanf fseek ftell fwrite gamma getc getchar getenv gets gmtime hypot
index j0 j1 jn kill labs ldexp ldiv lgamma linux localtime log longjmp malloc memchr memcmp memcpy
memmove memset mktime modf perror pipe pow printf putc putchar puts qsort raise rand read realloc
remove rename rewind rint round scanf select setbuf setjmp signal sin sinh sleep socket sprintf sqrt
srand sscanf stat stderr stdin stdout strcat strchr strcmp strcpy strlen strtod strtol system tan
tanh time tmpfile tmpnam toascii tolower toupper trunc ungetc unix wait write y0 y1 yn
"""


class CppPlatform(Platform):
    """A CMake project."""

    name = "cpp"
    targets = ("onnx", "openvino", "tflite")

    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        package = contents.name.replace("-", "_")
        if package in _WORDS.split():
            raise UsageError(
                f"{contents.name} is a word of C++ or CMake, so it names no library",
                hint=f"--name {contents.name}-model",
            )
        _check(contract)
        for source in sorted(path for path in _PROJECT.rglob("*") if path.is_file()):
            text = source.read_text(encoding="utf-8")
            place = source.relative_to(_PROJECT).as_posix().replace("bundle_name", package)
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_named(text, package, contents), encoding="utf-8", newline="\n")
        write_ppm(folder)


def _named(text: str, package: str, contents: Contents) -> str:
    words = {
        "bundle_name": package,
        "BUNDLE_NAME": package.upper(),
        "BUNDLE_TITLE": contents.name,
        "BUNDLE_VERSION": contents.version,
    }
    # At once: a bundle may be called like one of them.
    return re.sub("|".join(words), lambda found: words[found.group()], text)


def _check(contract: Mapping[str, Any]) -> None:
    """Refuse what the project does not read.

    Raises:
        UsageError: Numbers of a kind that it has no code for.
    """
    refuse_dtypes(contract, "C++", _DTYPES)
    for spec in contract["inputs"]:
        if spec["kind"] == "picture" and spec["dtype"] == "float16":
            raise UsageError(
                f"{spec['name']}: C++ makes no pictures of float16",
                hint="--platform python makes them",
            )
