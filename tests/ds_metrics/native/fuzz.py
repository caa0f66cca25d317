"""Feeds the native core with random input and checks every answer. `make test` does so under the sanitizers.

    python tests/ds_metrics/native/fuzz.py --rounds 1000 --seed 7

Round r of seed s is always the same, and a failure or crash ends with how to play that round alone.
"""

import argparse
import multiprocessing
import sys
import time

import fuzz_clouds
import fuzz_kmedoids
import numpy as np
from native_core import core

TARGETS = {"clouds": fuzz_clouds.play, "kmedoids": fuzz_kmedoids.play}


def play(target, seed, number):
    """One round of a target."""
    with np.errstate(all="ignore"):
        TARGETS[target](np.random.default_rng([seed, number]))


def play_all(target, seed, numbers, current):
    for current.value in numbers:
        play(target, seed, current.value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="rounds for each target (%(default)s)")
    parser.add_argument("--start", type=int, default=0, help="number of the first round (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other rounds (%(default)s)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this part of the core")
    arguments = parser.parse_args()
    print(f"core: {core.__file__}")
    processes = multiprocessing.get_context("fork")
    for target in arguments.target or TARGETS:
        # Rounds run in a process of their own, so that one that crashes can be named.
        current, began = processes.Value("q", 0), time.perf_counter()
        numbers = range(arguments.start, arguments.start + arguments.rounds)
        process = processes.Process(target=play_all, args=(target, arguments.seed, numbers, current))
        process.start()
        process.join()
        if process.exitcode:
            again = f"--target {target} --seed {arguments.seed} --start {current.value} --rounds 1"
            sys.exit(f"Failed in round {current.value}. To play it again: python {sys.argv[0]} {again}")
        print(f"{target}: {arguments.rounds} rounds in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
