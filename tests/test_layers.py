"""The import rules of ARCHITECTURE.md: downwards only, each library where it belongs, a core without Python."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mediacore"
CORE = ROOT / "csrc" / "core"

# From the top down. What stands in one line are siblings: they never import each other.
LAYERS = (
    {"__main__"},
    {"cli"},
    {"serving"},
    {"demo", "doctor"},
    {"server"},
    {"engine"},
    {"session", "device_list"},
    {"dialogue", "delivery"},
    {"stream"},
    {"capture", "encode", "decode", "rtc"},
    {"control", "adb"},
    {"media_loop"},
    {"picture", "picture_reader", "ring", "wanted"},
    {"media", "settings", "h264", "rtp", "sessions", "drop_log", "slots"},
    {"errors", "_core", "_sessions", "_ring"},
)
RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}
# Stands beside the layers: it may use the engine and what is below, and only the command line uses it.
TESTING, TESTING_USES, TESTING_USERS = "testing", "engine", {"cli", "serving", "demo"}

# Where a library may be imported when the program runs: folders and files of the package.
LIBRARIES = {
    "aiortc": ("rtc/", "testing/"),
    "aioice": ("rtc/", "testing/"),
    "adbutils": ("adb/",),
    "aiohttp": ("server/",),
    "av": ("capture/recording.py", "encode/", "decode/", "media.py", "testing/"),
    "typer": ("cli.py",),
    "rich": ("cli.py", "serving.py", "demo.py", "server/"),
}


@dataclass(frozen=True)
class Import:
    """One imported module: a unit of the package for our own, else the library's name."""

    file: str
    line: int
    name: str
    ours: bool
    in_function: bool
    for_types: bool

    @property
    def importer(self) -> str:
        return self.file.partition("/")[0].removesuffix(".py")

    def __str__(self) -> str:
        return f"src/mediacore/{self.file}:{self.line} imports {self.name}"


def imports_of(path: Path) -> Iterator[Import]:
    def visit(node: ast.AST, *, in_function: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            names: list[str] = []
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: a relative import"
                names = [child.module or ""]
                if child.module == "mediacore":
                    names = [f"mediacore.{alias.name}" for alias in child.names]
            for name in names:
                first, _, rest = name.partition(".")
                ours = first == "mediacore"
                yield Import(
                    path.relative_to(PACKAGE).as_posix(),
                    child.lineno,  # type: ignore[attr-defined]
                    rest.partition(".")[0] if ours else first,
                    ours,
                    in_function,
                    for_types,
                )
            yield from visit(
                child,
                in_function=in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef),
                for_types=for_types or (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"),
            )

    yield from visit(ast.parse(path.read_text()), in_function=False, for_types=False)


IMPORTS = [found for path in sorted(PACKAGE.rglob("*.py")) for found in imports_of(path)]
# The package's __init__ names everything, lazily.
INSIDE = [found for found in IMPORTS if found.ours and found.file != "__init__.py" and found.name != found.importer]


def may_import(importer: str, imported: str) -> bool:
    if imported == TESTING:
        return importer in TESTING_USERS
    if importer == TESTING:
        return RANK[imported] >= RANK[TESTING_USES]
    return RANK[imported] > RANK[importer]


def test_every_unit_has_its_layer() -> None:
    units = {
        path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in {"", ".py", ".pyi"}
    }
    assert units - {"__init__", "__pycache__", TESTING} - set(RANK) == set(), "give it a place in LAYERS"
    assert {found.name for found in INSIDE} - set(RANK) - {TESTING, "__version__"} == set()


def test_imports_go_down_only() -> None:
    """Imports for types alone count as well: they are knowledge all the same."""
    wrong = [
        str(found) for found in INSIDE if found.name != "__version__" and not may_import(found.importer, found.name)
    ]
    assert wrong == []


def test_the_package_itself_loads_nothing() -> None:
    assert [str(found) for found in IMPORTS if found.file == "__init__.py" and found.ours and not found.for_types] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_are_used_where_they_belong(library: str) -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if found.name == library
        and not found.ours
        and not found.for_types
        and not found.file.startswith(LIBRARIES[library])
    ]
    assert wrong == []


def test_media_types_load_pyav_only_when_asked() -> None:
    assert all(
        found.in_function or found.for_types for found in IMPORTS if found.file == "media.py" and found.name == "av"
    )


@pytest.mark.parametrize(
    "module",
    [
        "mediacore",
        "mediacore.h264",
        "mediacore.media",
        "mediacore.picture",
        "mediacore.ring",
        "mediacore.rtp",
        "mediacore.sessions",
    ],
)
def test_native_faces_load_no_library(module: str) -> None:
    heavy = "{'aiortc', 'aioice', 'av', 'aiohttp', 'adbutils', 'numpy', 'typer'}"
    program = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


# Not in the core: Python, threads, clocks, the system, files, chance. Locks are: other people's threads may call.
FOREIGN = re.compile(
    r"<(Python\.h|pybind11/.*|thread|condition_variable|future|semaphore|latch|barrier|chrono|ctime|time\.h|random"
    r"|iostream|fstream|filesystem|cstdio|stdio\.h|pthread\.h|unistd\.h|fcntl\.h|poll\.h|netdb\.h"
    r"|(sys|netinet|net|arpa|linux)/.*)>"
)
# jpeglib.h names FILE and does not say where it comes from; no file is opened.
FILE_OF_JPEGLIB = ("jpeg_library.cpp", "<cstdio>")


def test_core_includes_only_the_core_and_the_language() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} includes {include}"
        for path in sorted([*CORE.rglob("*.hpp"), *CORE.rglob("*.cpp")])
        for include in re.findall(r'^\s*#\s*include\s+([<"].*[>"])', path.read_text(), re.MULTILINE)
        if (FOREIGN.fullmatch(include) and (path.name, include) != FILE_OF_JPEGLIB)
        or (include.startswith('"') and not include.startswith('"core/'))
    ]
    assert wrong == []


def test_core_library_needs_no_python_and_no_system() -> None:
    """nm of the library that the extension modules were linked with (those of tests are full of sanitizers)."""
    libraries = sorted(ROOT.glob("build/cp*/libmediacore_core.a"), key=lambda path: path.stat().st_mtime)
    assert libraries, "no core library under build/: run `make setup`"
    listing = subprocess.run(
        ["nm", "--undefined-only", "--format=just-symbols", libraries[-1]],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    symbols = {line.partition("@")[0] for line in listing.split()}
    assert "memcpy" in symbols, "nm listed nothing"
    assert [name for name in symbols if name.startswith(("Py", "_Py"))] == []
    system = {
        "pthread_create",
        "clock_gettime",
        "gettimeofday",
        "time",
        "nanosleep",
        "socket",
        "send",
        "recv",
        "open",
        "fopen",
    }
    assert symbols & system == set()
