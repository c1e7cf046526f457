#!/usr/bin/env bash
# Checks an emulator against the known behaviour of AWS: deploys local/fixtures/conformity.yaml there
# with deploy.sh, and runs the conformity suite. Takes the options of deploy.sh, such as
# `--emulator ministack` and `--skip-build`. Everything after `--` goes to the suite.
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
        --emulator) [ $# -gt 1 ] || { say "error: --emulator needs a name"; exit 2; }; emulator=$2; deploy+=("$1" "$2"); shift ;;
        -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
        *) deploy+=("$1") ;;
    esac
    shift
done

# The address at which deploy.sh starts the emulator.
case $emulator in
    ministack) export AWS_ENDPOINT_URL=http://127.0.0.1:${MINISTACK_PORT:-4701} ;;
    localstack) export AWS_ENDPOINT_URL=http://127.0.0.1:4566 ;;
    '') export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566} ;;
esac

"$here/deploy.sh" ${deploy[@]+"${deploy[@]}"} --template "$root/local/fixtures/conformity.yaml" --stack conformity --outputs "$outputs"

# An emulator accepts any credentials. Real ones must never be sent to it.
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
# The kind decides which differences are known. Other emulators have no known differences.
kind=$("$work/sam/bin/python" "$here/probe.py" kind)
cd "$root"
CONFORMITY_TARGET=$kind CONFORMITY_OUTPUTS=$outputs cargo test --quiet --locked --test conformity -- "$@"
