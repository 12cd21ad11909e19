#!/usr/bin/env python3
"""A hundred programs of the campaign, short ones, each in one arrangement: what every test run can afford.

    python3 -B tests/fuzz/everyday.py --hcc build/hcc

A program that fails is seen again, and made smaller, by `reduce.py --seed SEED --arrangement ARRANGEMENT`.
"""

import argparse
import concurrent.futures
import os
import sys
import tempfile

import campaign
import programs

FIRST, COUNT = 1, 100
KNOWN = {}  # seeds whose fault is not mended yet, and why; one that passes again has to leave this list
LINES = 18  # long programs take seconds each; the campaign has them
FORMS = ["f64", "f32", "f64,v3", "f32,baseline"]


def chosen():
    """(seed, text) of the first programs from FIRST on that are short."""
    seed, found = FIRST, []
    while len(found) < COUNT:
        text = programs.text(seed)
        if text.count("\n") <= LINES:
            found.append((seed, text))
        seed += 1
    return found


def attempt(tries, folder, mine):
    """[(seed, arrangement, verdict...)] of a share of the programs, by one process of `tries`."""
    trier, verdicts = campaign.Trier(tries), []
    for seed, text in mine:
        path = os.path.join(folder, f"{seed}.hc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        form = FORMS[seed % len(FORMS)]
        verdicts.append((seed, form, *campaign.judge(trier.attempt(path, seed, [form], 60))))
    trier.close()
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    tries = campaign.beside(parser.parse_args().hcc)
    work = chosen()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor() as pool:
        shares = pool.map(lambda k: attempt(tries, folder, work[k::2]), range(2))
        verdicts = sorted(v for share in shares for v in share)
    failed = 0
    for seed, form, verdict, sign, _, what in verdicts:
        fine = verdict in ("ok", "infinite")
        failed += fine == (seed in KNOWN)
        if seed in KNOWN:
            print(f"seed {seed}: {'passes again: take it out of KNOWN' if fine else 'known: ' + KNOWN[seed]}")
        elif not fine:
            print(f"seed {seed}, {form}: {verdict}: {sign}\n  {what}")
    print(f"{len(verdicts) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
