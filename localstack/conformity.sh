#!/usr/bin/env bash
# Holds an emulator of AWS against what is known of AWS (docs/conformity.md): deploys local/fixtures/conformity.yaml there with deploy.sh,
# and runs the conformity suite. Takes what deploy.sh takes, such as `--emulator ministack` and `--skip-build`; what stands behind `--` goes
# to the suite.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$root/target/emulator
outputs=$work/conformity.json

say() { printf '%s\n' "conformity: $*" >&2; }

deploy=() emulator=''
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        --emulator) [ $# -gt 1 ] || { say "error: --emulator takes a name"; exit 2; }; emulator=$2; deploy+=("$1" "$2"); shift ;;
        -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
        *) deploy+=("$1") ;;
    esac
    shift
done

# Where deploy.sh has the emulator listen.
case $emulator in
    ministack) export AWS_ENDPOINT_URL=http://127.0.0.1:${MINISTACK_PORT:-4701} ;;
    localstack) export AWS_ENDPOINT_URL=http://127.0.0.1:4566 ;;
    '') export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566} ;;
esac

"$here/deploy.sh" ${deploy[@]+"${deploy[@]}"} --template "$root/local/fixtures/conformity.yaml" --stack conformity --outputs "$outputs"

# Any credentials will do for an emulator; real ones are never sent to it.
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
# Which one answers there, and so which differences are known; of another, none are.
kind=$("$work/sam/bin/python" "$here/probe.py" kind)
cd "$root"
CONFORMITY_TARGET=$kind CONFORMITY_OUTPUTS=$outputs cargo test --quiet --locked --test conformity -- "$@"
