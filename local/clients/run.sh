#!/usr/bin/env bash
# Calls the queues of the local stack with unmodified boto3 and AWS CLI, and checks what is left
# after the stack was killed (see clients.py). Takes the arguments of clients.py. Exits with 1 if a
# check failed, and with 3 if the clients could not be installed. They need Python 3.10 or later and
# a package index, or a mirror in PIP_INDEX_URL.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/emulator # ignored by git

say() { printf '%s\n' "clients: $*" >&2; }
cannot() { say "cannot go on: $*"; exit 3; }
# shellcheck source=../../localstack/environment.sh
. "$root/localstack/environment.sh"

command -v python3 >/dev/null || cannot "python3 is missing"
mkdir -p "$work"
environment clients "$here/requirements.txt"
cd "$root"
cargo build --quiet --locked --bin wigwag-local
export PYTHONDONTWRITEBYTECODE=1 # keeps __pycache__ out of the source tree
exec "$work/clients/bin/python" "$here/clients.py" "${CARGO_TARGET_DIR:-target}/debug/wigwag-local" "$@"
