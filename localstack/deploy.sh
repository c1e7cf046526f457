#!/usr/bin/env bash
# Builds Wigwag with the SAM CLI, deploys it to an emulator of AWS, and prints the URLs. `deploy.sh --help` has the rest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$root/target/emulator # ignored by git; tools, built functions, logs

usage() {
    cat <<'TEXT'
usage: localstack/deploy.sh [--emulator ministack] [--smoke] [--stop] [--skip-build]

Deploys to the emulator and prints its URLs. Without --emulator: to what listens at AWS_ENDPOINT_URL
[default: http://127.0.0.1:4566].

  --emulator ministack   start ministack, from a virtual environment of its own: no Docker, no token.
                         It listens on 127.0.0.1:$MINISTACK_PORT [default: 4701]
  --smoke                then let two users talk through it (`wigwag smoke`)
  --stop                 stop the emulator that was started here when all is done
  --skip-build           deploy what was built the last time

What is needed is installed under target/emulator: Python packages as pinned in requirements.txt and
ministack.txt. Python 3.10 or later, a Rust toolchain and a C compiler must be there.
TEXT
}

say() { printf '%s\n' "deploy: $*" >&2; }
die() { say "error: $*"; exit 1; }

emulator='' smoke='' stop='' build=yes
while [ $# -gt 0 ]; do
    case $1 in
        --emulator) emulator=${2:-}; shift; [ $# -gt 0 ] || die "--emulator takes ministack" ;;
        --smoke) smoke=yes ;;
        --stop) stop=yes ;;
        --skip-build) build='' ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
case $emulator in '' | ministack) ;; *) die "--emulator takes ministack, not $emulator" ;; esac
for tool in python3 cargo cc; do
    command -v "$tool" >/dev/null || die "$tool is missing"
done

# A virtual environment NAME with what FILE pins, made anew when FILE changes.
environment() {
    local directory=$work/$1 pins=$here/$2
    if ! cmp -s "$pins" "$directory/pins"; then
        say "installing what $2 pins into $directory"
        rm -rf "$directory"
        python3 -m venv "$directory" || die "python3 -m venv failed; on Debian: apt install python3-venv"
        "$directory/bin/pip" install --quiet --disable-pip-version-check -r "$pins" \
            || die "pip could not install what $pins pins: is there a network, or a mirror in PIP_INDEX_URL?"
        cp "$pins" "$directory/pins"
    fi
}

# Whether something answers there.
answers() { "$work/sam/bin/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1" 2>/dev/null; }

started=''
finish() {
    [ -z "$stop" ] || [ -z "$started" ] || { kill "$started" 2>/dev/null && wait "$started" 2>/dev/null || true; }
}
trap finish EXIT

start_ministack() {
    environment ministack ministack.txt
    local port=${MINISTACK_PORT:-4701}
    export AWS_ENDPOINT_URL=http://127.0.0.1:$port
    if answers "$AWS_ENDPOINT_URL/_ministack/health"; then
        die "something listens on port $port already; stop it, or choose another port with MINISTACK_PORT"
    fi
    say "starting ministack at $AWS_ENDPOINT_URL (log: $work/ministack.log)"
    GATEWAY_PORT=$port BIND_HOST=127.0.0.1 LAMBDA_EXECUTOR=local PATH=$work/ministack/bin:$PATH \
        nohup "$work/ministack/bin/ministack" >"$work/ministack.log" 2>&1 &
    started=$!
    for _ in $(seq 120); do
        answers "$AWS_ENDPOINT_URL/_ministack/health" && return
        kill -0 "$started" 2>/dev/null || break
        sleep 0.5
    done
    tail -5 "$work/ministack.log" >&2
    die "ministack does not come up"
}

mkdir -p "$work"
environment sam requirements.txt
[ "$emulator" != ministack ] || start_ministack
export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}
# Any credentials will do for an emulator; real ones are never sent to it.
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0
unset AWS_PROFILE AWS_SESSION_TOKEN
export PATH=$work/sam/bin:$PATH
python "$here/probe.py" || exit 1

# For this machine's processor: the emulator runs the functions here.
case $(uname -m) in
    x86_64) architecture=x86_64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) die "no Lambda runs on $(uname -m)" ;;
esac
built=$work/build
if [ -n "$build" ]; then
    say "building the functions (sam build; some minutes the first time)"
    sam build --template "$root/template.yaml" --build-dir "$built" --parameter-overrides "Architecture=$architecture" >&2
fi
[ -f "$built/template.yaml" ] || die "nothing is built; leave --skip-build out"
cp "$built/template.yaml" "$built/adapted.yaml"
python "$here/adapt.py" "$built/adapted.yaml" "$AWS_ENDPOINT_URL"

say "deploying to $AWS_ENDPOINT_URL"
sam deploy --template "$built/adapted.yaml" --stack-name wigwag --resolve-s3 --capabilities CAPABILITY_IAM \
    --no-confirm-changeset --no-progressbar --no-fail-on-empty-changeset \
    --parameter-overrides "Architecture=$architecture" >"$work/deploy.log" 2>&1 \
    || { tail -30 "$work/deploy.log" >&2; die "sam deploy failed (log: $work/deploy.log)"; }

read -r http websocket < <(python "$here/probe.py" --urls)
printf '%s\n' "HTTP       $http" "WebSocket  $websocket"
[ -n "$emulator" ] && [ -z "$stop" ] && [ -n "$started" ] && say "ministack goes on as process $started; stop it with: kill $started"
say "talk:  cargo run -p wigwag -- --url '$http' --ws-url '$websocket' chat --as alice --with bob"

if [ -n "$smoke" ]; then
    (cd "$root" && cargo run --quiet --bin wigwag -- smoke --frames json --url "$http" --ws-url "$websocket")
fi
