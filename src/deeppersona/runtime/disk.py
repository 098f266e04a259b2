"""Files written whole or not at all, and operating-system errors told with their fix."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from deeppersona.errors import StoreError


@contextmanager
def told(doing: str, where: Path) -> Iterator[None]:
    """Turn operating-system errors into StoreErrors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            fix = "the disk is full; free some space and run the same command again, what is written is safe"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fix = "it cannot be written; choose another --out or change its permissions"
        else:
            fix = f"{error.strerror or error}; run the same command again when it is mended"
        raise StoreError(f"{doing} {where}: {fix}") from error
    except sqlite3.OperationalError as error:
        raise StoreError(f"{doing} {where}: {error}; what is written is safe, run the same command again") from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that stands in its place only when all of it is on disk.

    It is written beside its place, flushed, renamed; where the block raises, nothing is left and what stood there stays.

    Raises:
        StoreError: it cannot be written; the message says what to do.

    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told("writing", path):
        try:
            with beside.open("wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, flushed, renamed."""
    with whole(path) as handle:
        handle.write(content)
