#!/bin/sh
# Make a virtual environment: sh tools/venv.sh PYTHON FOLDER. On a bare Debian the module ensurepip is a package of its own.
set -eu
python=$1 folder=$2
[ -x "$folder/bin/pip" ] && exit 0
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "deeppersona needs Python 3.11 or newer; run make with PYTHON=/path/to/python3.11" >&2
  exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
  else
    echo "this Python has no ensurepip; on Debian: sudo apt-get install python3-venv" >&2
    exit 2
  fi
fi
"$python" -m venv "$folder"
