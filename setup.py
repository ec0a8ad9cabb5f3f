"""Build of the native core; everything that is not about compiling is in pyproject.toml.

JPEGCRYPT_DEBUG=1                     bounds checks on, C assertions on, -O1 -g
JPEGCRYPT_SANITIZE=address,undefined  instrumented by gcc or clang; `make sanitize` runs it
"""

import os
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("JPEGCRYPT_DEBUG", "0") not in ("", "0")
SANITIZE = os.environ.get("JPEGCRYPT_SANITIZE", "")

NATIVE = Path("src/jpegcrypt/native")

# A file's bytes must not depend on the compiler: signed arithmetic wraps, and no multiplication is
# fused with an addition. No -march: one build runs on every machine of its architecture.
GCC_FLAGS = ["-std=c11", "-fwrapv", "-ffp-contract=off", "-fvisibility=hidden"]
MSVC_FLAGS = ["/O2", "/std:c11"]


def gcc_flags() -> tuple[list[str], list[str]]:
    """Return the flags of the compiler and of the linker, for gcc and clang."""
    compile_flags = [*GCC_FLAGS, *(["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O3"])]
    if not SANITIZE:
        return compile_flags, []
    instrument = f"-fsanitize={SANITIZE}"
    compile_flags += [instrument, "-fno-sanitize-recover=undefined"]
    return [*compile_flags, "-fno-omit-frame-pointer", "-g"], [instrument]


class BuildCore(build_ext):
    """Flags by compiler; generated C stays among the build products, never beside the source."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_c_in_temp = True

    def finalize_options(self) -> None:
        super().finalize_options()
        self.force = True  # time stamps do not tell a debug object from a release one

    def build_extensions(self) -> None:
        flags = (MSVC_FLAGS, []) if self.compiler.compiler_type == "msvc" else gcc_flags()
        for extension in self.extensions:
            extension.extra_compile_args, extension.extra_link_args = flags
        super().build_extensions()


core = Extension(
    "jpegcrypt._core",
    sources=["src/jpegcrypt/_core.pyx", *(path.as_posix() for path in sorted(NATIVE.glob("*.c")))],
    depends=[path.as_posix() for path in sorted(NATIVE.glob("*.h"))],
    include_dirs=["src/jpegcrypt", NATIVE.as_posix()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
)
# Not in the .pyx: Cython lets a directive in the file win over this one, and debug builds flip it.
core.cython_directives = {"boundscheck": DEBUG}

setup(
    packages=[
        *find_packages("src"),
        "jpegcrypt.retrieval",
        *(f"jpegcrypt.retrieval.{name}" for name in find_packages("retrieval")),
    ],
    package_dir={"": "src", "jpegcrypt.retrieval": "retrieval"},
    ext_modules=[core],
    cmdclass={"build_ext": BuildCore},
)
