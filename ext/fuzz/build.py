"""Build the fuzz targets.

``build.py plain``   ordinary compiler, against the extensions built in place: what the seed tests run
``build.py asan``    with ASan and UBSan, against the sanitized tree in build/asan/lib (see .ci/run)
``build.py fuzz``    clang with coverage for libFuzzer, ASan and UBSan: native modules, targets and driver
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from targets import BUILD, HERE, ROOT, TARGETS, Target

SANITIZERS = "address,undefined"
GUARDED = ["-O1", "-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined"]
GUARDED += ["-fno-sanitize=pointer-overflow"]  # as setup.py, and for its reason


def buildable() -> list[Target]:
    """Return the targets that this tree has the modules for, and say which it has not."""
    kept = []
    for target in TARGETS:
        reason = target.lacking()
        if reason:
            sys.stderr.write(f"fuzz target {target.name} left out: {reason}\n")
        else:
            kept.append(target)
    return kept


def build_targets(variant: str, compile_args: list[str], link_args: list[str]) -> Path:
    """Compile feeding.pyx and every target that can be built; return the directory they are in."""
    from Cython.Build import cythonize
    from setuptools import Extension, setup

    out = BUILD / variant
    ours = {target.source for target in buildable() if target.source is not None}
    sources = [HERE / "feeding.pyx", *sorted(source for source in ours if source.suffix == ".pyx")]
    os.chdir(ROOT)
    extensions = [
        Extension(
            f"fuzz.{source.stem}",
            [str(source.relative_to(ROOT))],
            include_dirs=["ext/dnscap/native"],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
            depends=[
                str(p) for p in (*HERE.glob("*.pxd"), *(ROOT / "ext" / "dnscap" / "native").glob("*.[ph]*"))
            ],
        )
        for source in sources
    ]
    setup(
        name="dnscap-fuzz",
        packages=[],
        ext_modules=cythonize(
            extensions,
            include_path=["ext"],
            build_dir="build/cython",
            quiet=True,
            compiler_directives={"language_level": 3, "boundscheck": False, "cdivision": True},
        ),
        script_args=["-q", "build_ext", f"--build-lib={out}", f"--build-temp={out / 'temp'}", "-j2"],
    )
    (out / "fuzz" / "__init__.py").touch()
    for source in ours:
        if source.suffix == ".py":
            shutil.copy(source, out / "fuzz" / source.name)
    for beside in ("conversations.py", "stages.py"):
        shutil.copy(HERE / beside, out / "fuzz" / beside)
    return out


def build_driver(out: Path) -> None:
    """Compile and link driver.c with libFuzzer and an embedded Python."""
    variables = sysconfig.get_config_vars()
    libdir = variables["LIBDIR"]
    shared = bool(variables.get("Py_ENABLE_SHARED"))
    library = f"-lpython{variables['LDVERSION']}" if shared else str(Path(libdir) / variables["LIBRARY"])
    command = [os.environ["CC"], *GUARDED, f"-fsanitize=fuzzer,{SANITIZERS}", f"-I{variables['INCLUDEPY']}"]
    command += [str(HERE / "driver.c"), "-o", str(out / "driver")]
    # The targets are loaded later and find the sanitizers' and libFuzzer's functions in the program.
    command += ["-rdynamic", f"-L{libdir}", f"-Wl,-rpath,{libdir}", library]
    command += shlex.split(
        f"{variables.get('LIBS') or ''} {variables.get('SYSLIBS') or ''} -lm -ldl -lpthread"
    )
    subprocess.run(command, check=True)


def build_fuzz() -> None:
    """Build everything anew with clang: instrumented native modules, targets, driver."""
    clang = next(filter(shutil.which, ("clang", "clang-19", "clang-16", "clang-14")), None)
    if clang is None:
        sys.exit("fuzzing needs clang and its compiler-rt: apt install clang libclang-rt-14-dev")
    out = BUILD / "fuzz"
    os.environ["CC"] = clang
    os.environ["LDSHARED"] = f"{clang} -shared"
    # The ordinary build heeds gcc's warnings; clang also dislikes constants that are narrowed on purpose.
    # These take the place of the flags of Python, -fwrapv among them: signed overflow is found too.
    os.environ["CFLAGS"] = "-Wno-constant-conversion -Wno-sign-compare"
    os.environ["DNSCAP_SANITIZE"] = f"fuzzer-no-link,{SANITIZERS}"
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build",
        f"--build-lib={out}",
        f"--build-temp={out / 'temp'}",
        "-j2",
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    flags = [f"-fsanitize=fuzzer-no-link,{SANITIZERS}", *GUARDED]
    build_targets("fuzz", flags, flags[:1])
    build_driver(out)


def main() -> None:
    """Build the variant asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variant", choices=["plain", "asan", "fuzz"])
    variant = parser.parse_args().variant
    if variant == "fuzz":
        build_fuzz()
    elif variant == "asan":
        build_targets("asan", [f"-fsanitize={SANITIZERS}", *GUARDED], [f"-fsanitize={SANITIZERS}"])
    else:
        build_targets("plain", ["-O1"], [])


if __name__ == "__main__":
    main()
