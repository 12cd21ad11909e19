#!/usr/bin/env python3
"""Ranks on a simulated network (bench/simulated_ranks.py): the bits of one process, and messages as they should be.

SimGrid's SMPI, where it is here; skipped with the reason where it is not. HCC_TEST_EVERYTHING=1: up to 64 ranks.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(os.path.dirname(HERE)), "bench")]
import harness
import simulated_ranks
from harness import hcc

SETTINGS = ["d=64", "heads=2", "blocks=1", "context=16", "train.warmup=2", "wiring=mhc", "train.clip=0.5",
            "train.eval_every=0"]
SLOWER = 16  # a processor that these few positions keep busy for as long as larger models do others
SMALL = [(4, 8)]  # ranks, parts
LARGE = [(2, 8), (3, 8), (4, 8), (7, 8), (64, 64)]


class Simulated(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        if simulated_ranks.missing():
            raise harness.unittest.SkipTest(simulated_ranks.missing())
        if harness.sanitized():
            raise harness.unittest.SkipTest("copies of a sanitized program cannot share a process")

    def test_bits_and_messages(self):
        data = self.write("text.txt", "the quick brown fox jumps over the lazy dog; " * 60)
        network = simulated_ranks.network_of("10Gb/s,10us")
        simulations = {}
        for ranks, parts in LARGE if os.environ.get("HCC_TEST_EVERYTHING") else SMALL:
            options = [word for setting in [*SETTINGS, f"train.batch={parts} in {parts}"] for word in ("--set", setting)]
            source = os.path.join(harness.ROOT, "examples", "shakespeare.hc")
            if parts not in simulations:
                folder = self.path(f"of-{parts}")
                os.mkdir(folder)
                simulations[parts] = simulated_ranks.Simulation(harness.hcc_path(), folder, source, options, data)
            weights = 4 * json.loads(self.expect(hcc("info", source, "--json", *options)).out)["parameters"]
            with self.subTest(ranks):
                found = simulated_ranks.simulated(simulations[parts], ranks, network, SLOWER)
                self.assertTrue(found["same_bits"])
                mean = sum(found["bytes"]) / ranks
                least = 2 * (ranks - 1) / ranks * weights  # a shard of sums from each other rank, and of weights to each
                self.assertGreater(mean, 0.98 * least)
                if ranks in (2, 4):
                    self.assertLess(mean, 1.02 * least)
                self.assertGreater(found["seconds"], found["computing"])
                alone = found["computing"] * parts / -(-parts // ranks)
                said = json.loads(self.expect(hcc("info", source, "--json", "--ranks", str(ranks), "--network", "10Gb/s,10us",
                                                  "--step-ms", str(1e3 * alone), *options)).out)["of_ranks"]
                self.assertEqual((said["bytes_sent"], said["messages_sent"]), (max(found["bytes"]), max(found["messages"])))
                self.assertLess(abs(said["talking_seconds"] / found["talking"] - 1), 0.5)  # of small messages, latency most of it
                self.assertLess(said["waiting_seconds"], said["talking_seconds"])
                self.assertLess(abs(said["step_seconds"] / found["seconds"] - 1), 0.15)
                if ranks in (2, 4):  # powers of two: sums meet in one stage
                    self.assertGreater(simulated_ranks.hidden(found), 0.7)
                self.assertGreater(found["talking"], least / ranks * 8 / network.bits)


harness.main(__name__)
