"""A signed repository for DuckDB 2.0, which then loads the extension without its unsigned mode.

    python -m tablelens.sql.extension.sign EXTENSION KEY.pem FOLDER [VERSION]

FOLDER becomes a repository: the public key in ``.well-known/duckdb-extension-repo.json``, and the extension in
``VERSION/PLATFORM``. The signature is RSA with SHA-256 over the SHA-256 of each block of 1 MiB of the file less its
last 256 bytes, where it is written. ``openssl`` signs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from tablelens.sql.extension.build import NAME, SIGNATURE, here

BLOCK = 1 << 20


def publish(extension: Path, key: Path, folder: Path, version: str = "v2.0.0") -> Path:
    """Sign an extension with a private key, RSA of 2048 bits, and lay it into a repository; its path there."""
    content = extension.read_bytes()[:-SIGNATURE]
    blocks = (content[start : start + BLOCK] for start in range(0, len(content), BLOCK))
    digest = hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).digest()
    command = ["openssl", "pkeyutl", "-sign", "-inkey", str(key), "-pkeyopt", "digest:sha256"]
    signature = subprocess.run(command, input=digest, check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout"], check=True, capture_output=True, text=True)
    about = folder / ".well-known" / "duckdb-extension-repo.json"
    target = folder / version / here() / NAME
    for path in (about, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    about.write_text(json.dumps({"signature_keys": [public.stdout]}), encoding="utf-8")
    target.write_bytes(content + signature)
    return target


def main() -> None:
    """The command."""
    extension, key, folder, *version = sys.argv[1:]
    sys.stdout.write(f"{publish(Path(extension), Path(key), Path(folder), *version)}\n")


if __name__ == "__main__":
    main()
