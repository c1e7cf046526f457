#!/usr/bin/env bash
# Calls the queues of the local stack with boto3 and the AWS CLI as they are (clients.py says what), and looks at what a stack that was
# killed has kept. Takes what clients.py takes. Exits with 1 where something failed, and with 3 where what it takes could not be
# installed: Python 3.10 or later and a package index, or a mirror in PIP_INDEX_URL.
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
exec "$work/clients/bin/python" "$here/clients.py" "${CARGO_TARGET_DIR:-target}/debug/wigwag-local" "$@"
