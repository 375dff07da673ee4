"""What a user installs: the typed package with its page and stubs, and sources that build."""

import ast
import importlib
import importlib.metadata
import importlib.resources
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import mediacore

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mediacore"


def build(kind: str, folder: Path, settings: str = "{}") -> Path:
    """Calls the build backend as pip would, in a process of its own."""
    program = f"from scikit_build_core.build import build_{kind} as b; print(b({str(folder)!r}, {settings}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


def source_files() -> set[str]:
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_version_is_told_once() -> None:
    assert importlib.metadata.version("mediacore") == mediacore.__version__


def test_command_can_be_loaded() -> None:
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="mediacore")
    assert callable(entry.load())


@pytest.mark.parametrize("name", mediacore.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(mediacore, name).__module__.startswith("mediacore")


@pytest.mark.parametrize("name", ["_core", "_sessions"])
def test_stubs_name_what_the_compiled_module_has(name: str) -> None:
    compiled = importlib.import_module(f"mediacore.{name}")
    stub = ast.parse((PACKAGE / f"{name}.pyi").read_text())
    told = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    missing = [key for key in told if not key.startswith("_") and not hasattr(compiled, key)]
    assert missing == [], "in the stub only"
    public = {key for key, value in vars(compiled).items() if getattr(value, "__module__", "").startswith("mediacore")}
    assert {key for key in public if not key.startswith("_")} - set(told) == set(), "in the module only"
    for key, node in told.items():
        if not isinstance(node, ast.ClassDef) or key.startswith("_"):
            continue
        members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        members.discard("__buffer__")  # types have that name from Python 3.12 on (PEP 688), and the protocol before
        assert [member for member in members if not hasattr(getattr(compiled, key), member)] == []


def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    """Without its native part, which would only be compiled once more: this is about the files."""
    wheel = build("wheel", tmp_path, "{'wheel.cmake': 'false'}")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert source_files() - names == set()
    assert {"mediacore/py.typed", "mediacore/_core.pyi", "mediacore/_sessions.pyi"} <= names
    assert any(name.startswith("mediacore/server/static/") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"mediacore"}
    assert "Requires-Python: >=3.11" in metadata


def test_sdist_holds_what_the_build_needs(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    native = {path.relative_to(ROOT).as_posix() for path in (ROOT / "csrc").rglob("*") if path.is_file()}
    assert native <= names
    assert {f"src/{name}" for name in source_files()} <= names
    assert {"pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE"} <= names
    assert [name for name in names if name.startswith(("tests/", "build/", ".venv/"))] == []
