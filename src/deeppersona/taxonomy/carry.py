"""Take a taxonomy along to a machine that has no copy of its folder."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path

from deeppersona.errors import UsageError
from deeppersona.taxonomy.read import SHIPPED, read_taxonomy, taxonomy_files


def carried(folder: Path) -> bytes:
    """A taxonomy folder as bytes that can be taken along; none for the shipped one, which is wherever the package is."""
    if folder.resolve() == SHIPPED.resolve():
        return b""
    files = {file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in taxonomy_files(folder)}
    return zlib.compress(json.dumps(files).encode(), 6)


@lru_cache(maxsize=4)
def at_hand(content: bytes, fingerprint: str) -> Path:
    """A folder with a taxonomy that was carried here; it is there until the process ends.

    Raises:
        UsageError: it is not the taxonomy with that fingerprint: the package here is another version.

    """
    folder = SHIPPED
    if content:
        folder = Path(tempfile.mkdtemp(prefix="deeppersona-taxonomy-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for name, text in json.loads(zlib.decompress(content)).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    if read_taxonomy(folder).fingerprint != fingerprint:
        raise UsageError(
            "the taxonomy on this machine is not that of the plan; install the same version of deeppersona"
        )
    return folder
