"""Derive ``models/words.npz``: a small table of static word-piece vectors for the embedder.

Read: the packaged weights and tokenizer of the PyPI package ``wordllama`` (MIT). Kept: the pieces made of plain
letters, the first 64 of 256 dimensions (the vectors were trained so that a prefix of them is itself an embedding),
rounded to whole numbers of -127..127. Run: ``pip install wordllama && python tools/derive_words.py``.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

DIMENSIONS = 64
TARGET = Path(__file__).parent.parent / "src/deeppersona/models/words.npz"


def main() -> None:
    """Write the table."""
    from safetensors.numpy import load_file

    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        sys.exit("install the package wordllama first: pip install wordllama")
    package = Path(spec.origin).parent
    weights = load_file(package / "weights" / "l2_supercat_256.safetensors")["embedding.weight"].astype(np.float64)
    vocabulary = json.loads((package / "tokenizers" / "l2_supercat_tokenizer_config.json").read_text("utf-8"))["model"][
        "vocab"
    ]
    pieces = {piece: row for piece, row in vocabulary.items() if re.fullmatch(r"▁?[a-z]+", piece)}
    names = sorted(pieces)
    vectors = weights[[pieces[name] for name in names], :DIMENSIONS]
    scaled = np.rint(vectors * (127 / np.quantile(np.abs(vectors), 0.9995))).clip(-127, 127).astype(np.int8)
    np.savez_compressed(TARGET, pieces=np.array("\n".join(names)), vectors=scaled)
    print(f"{TARGET}: {len(names)} pieces x {DIMENSIONS}, {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
