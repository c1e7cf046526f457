#!/usr/bin/env python3
"""Calls the queues of the local stack with unmodified boto3 and AWS CLI.

    clients.py BINARY                  starts local/fixtures/clients.yaml with --data-dir and calls it
    clients.py BINARY --write-errors   the same; writes the observed errors to errors.json

It checks calls that work (accepted.py), calls that are refused, with status, code and JSON error
name (refused.py, errors.json), and what is left after the stack was killed (restart.py). It exits
with 1 and names the difference if something is wrong.
"""

import sys
import tempfile

import accepted
import refused
import restart
from stack import stack


def main():
    match sys.argv[1:]:
        case [binary, *rest] if rest in ([], ["--write-errors"]):
            write = bool(rest)
        case _:
            sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        kept = {}
        with stack(binary, directory) as aws:
            for part in accepted.PARTS:
                part(aws)
                print(f"clients: {part.__name__.replace('_', ' ')}: works")
            print(f"clients: {refused.errors(aws, write)} errors: as in {refused.ERRORS.name}")
            restart.prepare_and_kill(aws, kept)
        with stack(binary, directory) as aws:
            restart.check(aws, kept)
        print(f"clients: killed after {len(kept['sent'])} messages: nothing is lost")


if __name__ == "__main__":
    main()
