#!/bin/sh
# Say clearly what the system lacks: Python 3.11 or newer with venv and headers, and a C compiler.
#   check-system.sh PYTHON
set -u
python=${1:-python3}
bad=0
lack() { echo "dnscap: $1" >&2; bad=1; }

if ! command -v "$python" >/dev/null 2>&1; then
    lack "no $python found: install Python 3.11 or newer, or say which: make PYTHON=/path/to/python3"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    lack "$("$python" --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.11)"
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        lack "$python cannot make virtual environments: apt install python3-venv"
    "$python" - <<'EOF' || lack "the headers of $python are missing: apt install python3-dev"
import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
EOF
fi
compiler=${CC:-cc}
command -v "${compiler%% *}" >/dev/null 2>&1 || lack "no C compiler (${compiler%% *}): apt install gcc libc6-dev"
exit $bad
