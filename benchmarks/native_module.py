"""Small extension modules that benchmarks need: peers in other bindings, and native threads beside Python's.

They are compiled where they are needed, with the compiler that builds the package, and kept in pytest's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pybind11

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent


def load(name: str, sources: list[str], cache: Path) -> ModuleType:
    """The module of `benchmarks/native/NAME.cpp`, compiled with `sources` of csrc/."""
    files = [Path(__file__).parent / "native" / f"{name}.cpp", *(ROOT / "csrc" / source for source in sources)]
    state = hashlib.sha256(b"".join(file.read_bytes() for file in [*files, *sorted((ROOT / "csrc").rglob("*.hpp"))]))
    built = cache / f"{name}-{state.hexdigest()[:16]}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not built.exists():
        includes = [ROOT / "csrc", sysconfig.get_path("include"), pybind11.get_include()]
        subprocess.run(
            ["c++", "-std=c++20", "-O3", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden"]
            + [f"-I{path}" for path in includes]
            + [*map(str, files), "-o", str(built), "-lpthread"],
            check=True,
            timeout=600,
        )
    spec = importlib.util.spec_from_file_location(name, built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
