"""Extension list and compiler settings; everything else is in pyproject.toml.

Switches read from the environment:

``DNSCAP_SANITIZE=1``     build with AddressSanitizer and UndefinedBehaviorSanitizer; any other value is
                        handed to ``-fsanitize`` as it is (``fuzzer-no-link,address,undefined``)
``DNSCAP_CFLAGS``         further flags, behind all others: ``-O0`` to see quickly that all compiles
``DNSCAP_ANNOTATE=1``     write Cython's annotated HTML beside the generated C
``DNSCAP_PYTHON_ONLY=1``  leave the extensions out: the in-place build makes them
"""

import os
import shlex
import sys
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup

Options.docstrings = True
Options.fast_fail = True

NATIVE = Path("ext/dnscap/native")
SANITIZE = os.environ.get("DNSCAP_SANITIZE", "").replace("1", "address,undefined")
PYTHON_ONLY = os.environ.get("DNSCAP_PYTHON_ONLY") == "1"

# Debuggers and profilers find lines and functions; telling of every variable took a quarter of the time to build.
compile_args = ["-O3", "-g1", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-unused-function"]
compile_args += ["-Wno-missing-field-initializers", "-Wno-cast-function-type", "-Wno-sign-compare"]
link_args = []
if SANITIZE:
    flags = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined"]
    # Code that Cython makes adds nothing to null pointers where there are no arguments.
    flags += ["-fno-sanitize=pointer-overflow"]
    compile_args = [*compile_args, "-O1", *flags]
    link_args += flags
compile_args += shlex.split(os.environ.get("DNSCAP_CFLAGS", ""))
if sys.platform == "win32":
    compile_args, link_args = ["/O2"], []

extensions = [
    Extension(
        f"dnscap.native.{source.stem}",
        [str(source)],
        include_dirs=[str(NATIVE)],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        depends=[str(p) for p in (*NATIVE.glob("*.pxd"), *NATIVE.glob("*.h"))],
    )
    for source in sorted(NATIVE.glob("*.pyx"))
]

setup(
    ext_modules=[]
    if PYTHON_ONLY
    else cythonize(
        extensions,
        include_path=["ext"],
        build_dir="build/cython",
        annotate=os.environ.get("DNSCAP_ANNOTATE") == "1",
        nthreads=os.cpu_count() or 1,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
        },
    ),
)
