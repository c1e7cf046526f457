#!/usr/bin/env bash
# Builds Wigwag with the SAM CLI, deploys it to an emulator of AWS, and prints the URLs. `deploy.sh --help` has the rest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$root/target/emulator # ignored by git: tools, built functions, logs

usage() {
    cat <<'TEXT'
usage: localstack/deploy.sh [--emulator NAME] [--smoke] [--skip-build]
                            [--template FILE] [--stack NAME] [--outputs FILE]
       localstack/deploy.sh [--emulator NAME] --down

Builds the functions with the SAM CLI, deploys them to the AWS emulator at AWS_ENDPOINT_URL
[default: http://127.0.0.1:4566], and prints the URLs.

  --emulator ministack   start ministack first, from a virtual environment of its own: no Docker, no token.
                         It listens on 127.0.0.1:$MINISTACK_PORT [default: 4701] and runs until --down
  --emulator localstack  start LocalStack first, with docker compose. Needs LOCALSTACK_AUTH_TOKEN, a token of
                         a plan with WebSocket APIs (see localstack/README.md)
  --smoke                afterwards let two users talk through it (`wigwag smoke`)
  --skip-build           deploy the last build again
  --template FILE        deploy this template [default: template.yaml]
  --stack NAME           name the stack NAME [default: wigwag]
  --outputs FILE         write the stack's outputs to FILE as one JSON object
  --down                 only stop the emulators that this script started, or the one that --emulator names

Exits with 1 if something failed, and with 3 if a tool could not be installed. It installs the Python
packages of requirements.txt and ministack.txt into target/emulator. You need Python 3.10 or later, a Rust
toolchain and a C compiler.
TEXT
}

say() { printf '%s\n' "deploy: $*" >&2; }
die() { say "error: $*"; exit 1; }
cannot() { say "cannot go on: $*"; exit 3; }
wrong() { say "error: $*; see --help"; exit 2; }

emulator='' smoke='' build=yes template=$root/template.yaml stack=wigwag outputs='' down=''
while [ $# -gt 0 ]; do
    case $1 in
        --emulator | --template | --stack | --outputs)
            [ $# -gt 1 ] || wrong "$1 needs a value"
            declare "${1#--}=$2"
            shift
            ;;
        --smoke) smoke=yes ;;
        --skip-build) build='' ;;
        --down) down=yes ;;
        -h | --help) usage; exit 0 ;;
        *) wrong "unknown option $1" ;;
    esac
    shift
done
case $emulator in '' | ministack | localstack) ;; *) wrong "--emulator must be ministack or localstack, not $emulator" ;; esac
[ -f "$template" ] || die "there is no template at $template"

# ---- Emulators ---------------------------------------------------------------------------------------------------------

ministack_port=${MINISTACK_PORT:-4701}
pid_file=$work/ministack-$ministack_port.pid

# Whether the process that this script started still runs. Another may have its id by now.
ministack_runs() { [ -f "$pid_file" ] && ps -o args= -p "$(cat "$pid_file")" 2>/dev/null | grep -q ministack; }

stop_ministack() {
    if ministack_runs; then
        local pid
        pid=$(cat "$pid_file")
        kill "$pid"
        for _ in $(seq 50); do ministack_runs || break; sleep 0.1; done
        ! ministack_runs || kill -9 "$pid"
        say "ministack has stopped"
    fi
    rm -f "$pid_file"
}

stop_localstack() {
    export LOCALSTACK_AUTH_TOKEN=${LOCALSTACK_AUTH_TOKEN:-unused}
    if docker compose version >/dev/null 2>&1 && [ -n "$(docker compose -f "$here/compose.yaml" ps --quiet 2>/dev/null)" ]; then
        docker compose -f "$here/compose.yaml" down
    fi
}

if [ -n "$down" ]; then
    for one in ${emulator:-ministack localstack}; do "stop_$one"; done
    exit 0
fi

. "$here/environment.sh"

answers() { "$work/sam/bin/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1" 2>/dev/null; }

start_ministack() {
    environment ministack "$here/ministack.txt"
    export AWS_ENDPOINT_URL=http://127.0.0.1:$ministack_port
    if answers "$AWS_ENDPOINT_URL/_ministack/health"; then
        ministack_runs || die "port $ministack_port is in use; stop the program that uses it, or choose another port with MINISTACK_PORT"
        say "ministack runs at $AWS_ENDPOINT_URL"
        return
    fi
    say "starting ministack at $AWS_ENDPOINT_URL (log: $work/ministack.log)"
    GATEWAY_PORT=$ministack_port BIND_HOST=127.0.0.1 LAMBDA_EXECUTOR=local PATH=$work/ministack/bin:$PATH \
        nohup "$work/ministack/bin/ministack" >"$work/ministack.log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    for _ in $(seq 120); do
        answers "$AWS_ENDPOINT_URL/_ministack/health" && return
        ministack_runs || break
        sleep 0.5
    done
    tail -5 "$work/ministack.log" >&2
    die "ministack does not start; its last log lines are above"
}

start_localstack() {
    [ -n "${LOCALSTACK_AUTH_TOKEN:-}" ] \
        || cannot "LOCALSTACK_AUTH_TOKEN is not set, and LocalStack needs it (see localstack/README.md); --emulator ministack needs no token"
    docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 \
        || cannot "LocalStack needs Docker with the compose plugin, and no Docker engine answers; --emulator ministack needs no Docker"
    export AWS_ENDPOINT_URL=http://127.0.0.1:4566
    say "starting LocalStack at $AWS_ENDPOINT_URL"
    docker compose -f "$here/compose.yaml" up --detach --wait >&2 || {
        docker compose -f "$here/compose.yaml" logs --tail 20 >&2
        die "LocalStack does not start; if its log says that the license was not activated, the token is not valid"
    }
}

# ---- Build, deploy, use ------------------------------------------------------------------------------------------------

for tool in python3 cargo cc; do
    command -v "$tool" >/dev/null || cannot "$tool is missing"
done
mkdir -p "$work"
environment sam "$here/requirements.txt"
[ -z "$emulator" ] || "start_$emulator"
export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}
# An emulator accepts any credentials. Real ones must never be sent to it.
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0
unset AWS_PROFILE AWS_SESSION_TOKEN
export PATH=$work/sam/bin:$PATH
kind=$(python "$here/probe.py" kind)

# The emulator runs the functions on this machine, so they are built for its processor.
case $(uname -m) in
    x86_64) architecture=x86_64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) die "Lambda does not support the processor $(uname -m)" ;;
esac
built=$work/build/$stack
if [ -n "$build" ]; then
    sam validate --lint --template "$template" >"$work/$stack.log" 2>&1 </dev/null || { cat "$work/$stack.log" >&2; die "the template is not valid; see the errors above"; }
    say "building the functions (sam build; some minutes the first time)"
    sam build --template "$template" --build-dir "$built" --parameter-overrides "Architecture=$architecture" >&2 \
        || die "sam build failed"
fi
[ -f "$built/template.yaml" ] || die "there is no build yet; run without --skip-build"
python "$here/adapt.py" "$kind" "$AWS_ENDPOINT_URL" <"$built/template.yaml" >"$built/adapted.yaml"

say "deploying to $kind at $AWS_ENDPOINT_URL (log: $work/$stack.log)"
sam deploy --template "$built/adapted.yaml" --stack-name "$stack" --resolve-s3 --capabilities CAPABILITY_IAM \
    --no-confirm-changeset --no-progressbar --no-fail-on-empty-changeset \
    --parameter-overrides "Architecture=$architecture" >"$work/$stack.log" 2>&1 </dev/null \
    || { tail -30 "$work/$stack.log" >&2; die "sam deploy failed"; }
outputs=${outputs:-$work/$stack.json}
python "$here/probe.py" outputs "$kind" "$stack" >"$outputs"

output() { python -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], ""))' "$outputs" "$1"; }
http=$(output HttpUrl)
websocket=$(output WebSocketUrl)
printf '%s\n' "HTTP       $http" "WebSocket  $websocket"
[ -z "$emulator" ] || say "$emulator keeps running; stop it with: localstack/deploy.sh --down"

if [ -n "$smoke" ]; then
    (cd "$root" && cargo run --quiet --locked --bin wigwag -- smoke --frames json --url "$http" --ws-url "$websocket")
fi
