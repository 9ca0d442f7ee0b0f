#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Search the protocol models of tests/models with spin; `./test proofs` does this for all."""

import argparse
import sys

from harness import models


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="names of models; default: all")
    parser.add_argument("--nightly", action="store_true", help="with the larger bounds too")
    parser.add_argument("--list", action="store_true", help="list the models and end")
    options = parser.parse_args()
    known = models.load_models()
    if options.list:
        print("\n".join(known))
        return 0
    unknown = set(options.models) - set(known)
    if unknown:
        parser.error(f"no such model: {', '.join(sorted(unknown))} (--list)")
    visited = failed = 0
    for name in options.models or known:
        try:
            visited += models.check_model(known[name], options.nightly)
        except models.ModelError as error:
            print(f"FAILED {name}: {error}", flush=True)
            failed += 1
    print(f"{visited} states visited, {failed} models failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
