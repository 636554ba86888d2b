"""Build the extension: ``python -m tablelens.sql.extension.build [FOLDER]``. It needs a C compiler and nothing else.

The file ends in the footer that DuckDB looks for: a WebAssembly section header, eight fields of 32 bytes in reverse
order (4, platform, version of the C API, version of the extension, C_STRUCT), and 256 bytes of a signature, zero where
there is none.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tablelens import __version__
from tablelens.errors import TablelensError, UsageError
from tablelens.sql.extension import unicode

SOURCES = Path(__file__).parent
NAME = "tablelens.duckdb_extension"
API = "v1.2.0"
SECTION = b"\x00\x93\x04\x10duckdb_signature\x80\x04"
SIGNATURE = 256
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-Wall", "-Wextra")
PLATFORMS = {("Linux", "x86_64"): "linux_amd64", ("Linux", "aarch64"): "linux_arm64", ("Darwin", "arm64"): "osx_arm64"}


def build(folder: Path, compiler: str | None = None, platform_name: str | None = None) -> Path:
    """Compile into a folder; the extension's path.

    Args:
        folder: where to; made if it is new.
        compiler: a C compiler; $CC, else cc or gcc.
        platform_name: as DuckDB calls it; this machine's if not given.

    Raises:
        UsageError: no compiler is there.
        TablelensError: it refused the sources.
    """
    found = compiler or os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not found:
        raise UsageError("no C compiler is there", "install gcc or clang, or set CC")
    folder.mkdir(parents=True, exist_ok=True)
    unicode.write(folder / "unicode_tables.h")
    library = folder / "tablelens.so"
    sources = sorted(str(path) for path in SOURCES.glob("*.c") if path.name != "fuzz.c")
    command = [found, *FLAGS, "-DDUCKDB_EXTENSION_NAME=tablelens", f"-I{folder}", f"-I{SOURCES}"]
    done = subprocess.run([*command, "-o", str(library), *sources, "-lm", "-lpthread"], capture_output=True, text=True)
    if done.returncode:
        raise TablelensError(f"the extension could not be compiled:\n{done.stderr}", "read what the compiler says")
    target = folder / NAME
    target.write_bytes(library.read_bytes() + footer(platform_name or here()))
    return target


def here() -> str:
    """This machine's platform as DuckDB calls it."""
    machine = platform.system(), platform.machine()
    if machine not in PLATFORMS:
        raise UsageError(f"platform {machine} is not known", f"known: {', '.join(PLATFORMS.values())}")
    return PLATFORMS[machine]


def footer(platform_name: str) -> bytes:
    """The 534 bytes at the end of an extension that is not signed.

    >>> len(footer("linux_amd64"))
    534
    """
    fields = ["", "", "", "C_STRUCT", f"v{__version__}", API, platform_name, "4"]
    return SECTION + b"".join(field.encode().ljust(32, b"\0") for field in fields) + bytes(SIGNATURE)


def main() -> None:
    """The command."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build")
    sys.stdout.write(f"{build(folder)}\n")


if __name__ == "__main__":
    main()
