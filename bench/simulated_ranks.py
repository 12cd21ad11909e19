#!/usr/bin/env python3
"""Many ranks of one run on a described network, on one machine: SimGrid's SMPI (Debian: libsimgrid-dev).

    python3 bench/simulated_ranks.py --hcc build/hcc --ranks 2,4,16,64 --network 10Gb/s,10us \\
        examples/shakespeare.hc --set d=32 --set blocks=1 --set "train.batch=64 in 64"

A built model is linked with the runtime and with what speaks MPI (mpi/transport_mpi.c) by `smpicc`: every rank is a copy of
it in one process, one thread each, that really computes, and whose messages take the time that they would on that network:
hosts at one switch, each by a link of that bandwidth in both directions, with half the latency. Told of each number of ranks:

- whether the final weights are, byte for byte, those of one process without MPI;
- messages and bytes that a rank sends a step, as SMPI's own trace has them;
- simulated milliseconds a step: in all, with messages that take no time, and with computation that takes none; and from
  these how much of the messages' time is hidden behind computation.

Computation takes what it took this machine's processor (--slower N: as many times that). Steps are timed by a replay of the
trace, whole and with some steps cut out of it, so that beginning and end do not count and every network is compared on the
same computation. This script needs the sources that hcc was built from.
"""

import argparse
import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

NEEDED = ("smpicc", "smpirun")
#: Steps of two runs, of which the second has more: what it has more is a step's, as often as that.
FEW, MANY = 2, 8
SPEED = "1Gf"  # of a host; computation is told in seconds of this machine, so any would do
MAIN = """typedef struct HcModel HcModel;
extern const HcModel simulated_model;
int hc_main(const HcModel *model, int argc, char **argv);
int main(int argc, char **argv) {
    return hc_main(&simulated_model, argc, argv);
}
"""
#: No factors for somebody's cluster: the network is what it is said to be.
PLAIN = ["--cfg=network/model:CM02", "--cfg=smpi/host-speed:" + SPEED, "--log=root.thres:warning",
         "--log=smpi_utils.thres:info", "--cfg=smpi/display-timing:yes"]
UNITS = {"Gb/s": 1e9, "Mb/s": 1e6, "us": 1e-6, "ms": 1e-3, "ns": 1e-9}


class SimulationError(RuntimeError):
    """A program that failed, or that did not do what was expected of it."""


Network = collections.namedtuple("Network", "bits seconds")
INSTANT = Network(1e18, 0.0)


def missing():
    """Why nothing can be simulated here, or None."""
    absent = [name for name in NEEDED if not shutil.which(name)]
    return f"SimGrid's {', '.join(absent)} (Debian's libsimgrid-dev) not found" if absent else None


def network_of(text):
    """10Gb/s,10us"""
    found = re.fullmatch(r"([\d.]+)([GM]b/s),([\d.]+)([mun]s)", text)
    if not found:
        raise argparse.ArgumentTypeError("a network is such as 10Gb/s,10us")
    return Network(float(found[1]) * UNITS[found[2]], float(found[3]) * UNITS[found[4]])


def run(command, folder=None):
    """What it says, on both streams."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    if done.returncode != 0:
        raise SimulationError(f"exit code {done.returncode}: {' '.join(words)}\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout + done.stderr


class Trace:
    """What each rank did, in order: lists of words."""

    def __init__(self, index):
        with open(index, encoding="utf-8") as file:
            self.ranks = [self.read(os.path.join(os.path.dirname(index), name)) for name in file.read().split()]

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return [line.split() for line in file]

    def write(self, index):
        names = []
        for k, lines in enumerate(self.ranks):
            names.append(f"{os.path.basename(index)}-{k}")
            with open(os.path.join(os.path.dirname(index), names[-1]), "w", encoding="utf-8") as file:
                file.writelines(" ".join(line) + "\n" for line in lines)
        with open(index, "w", encoding="utf-8") as file:
            file.writelines(name + "\n" for name in names)

    def changed(self, change):
        made = object.__new__(Trace)
        made.ranks = [change(k, lines) for k, lines in enumerate(self.ranks)]
        return made

    def idle(self):
        return self.changed(lambda _, lines: [line for line in lines if line[1] != "compute"])

    def slower(self, times):
        return self.changed(lambda _, lines: [[*line[:2], repr(float(line[2]) * times)] if line[1] == "compute" else line
                                              for line in lines])


def talk(lines):
    return [(k, line) for k, line in enumerate(lines) if line[1] != "compute"]


def sent(lines):
    """Messages, and bytes in them."""
    sizes = [int(line[4]) for line in lines if line[1] == "isend"]
    return len(sizes), sum(sizes)


def without_steps(few, many):
    """`many` with all but FEW of its steps cut out. What ranks say repeats itself step by step, from somewhere in the first
    on (which waits for nothing of a step before it), so it does not matter where in a later step the knife is set, if only
    as much is cut as makes whole steps."""
    def cut(rank, lines):
        said, before = talk(lines), talk(few.ranks[rank])
        period = (len(said) - len(before)) // (MANY - FEW)
        same = 0
        while same < len(before) and before[same][1] == said[same][1]:
            same += 1
        begin = same - (FEW - 1) * period
        end = begin + (MANY - FEW) * period
        if [line for _, line in said[:begin] + said[end:]] != [line for _, line in before]:
            raise SimulationError(f"what rank {rank} says does not repeat itself step by step")
        return lines[:said[begin][0]] + lines[said[end][0]:]
    return many.changed(cut)


class Simulation:
    """A program, and runs of it; all files lie in `folder`."""

    def __init__(self, hcc, folder, source, options, data, seed=5):
        self.hcc, self.folder, self.source, self.options = os.path.abspath(hcc), folder, source, list(options)
        self.data, self.seed = os.path.abspath(data), seed
        self.build()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def build(self):
        said = run([self.hcc, "build", self.source, "-o", self.path("simulated.o"), "--prefix", "simulated", *self.options])
        link = shlex.split(re.search(r"^link with: (.*)$", said, re.MULTILINE)[1])
        with open(self.path("main.c"), "w", encoding="utf-8") as file:
            file.write(MAIN)
        run(["smpicc", "-O2", "-I", ROOT, "-c", os.path.join(ROOT, "mpi", "transport_mpi.c"), "-o", self.path("transport.o")])
        run(["smpicc", "-O2", "-c", self.path("main.c"), "-o", self.path("main.o")])
        run(["smpicc", self.path("main.o"), self.path("transport.o"), *link, "-lpcre2-8", "-o", self.path("simulated")])

    def platform(self, ranks, network):
        path = self.path("platform.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                       f"<platform version=\"4.1\">\n  <cluster id=\"all\" prefix=\"host-\" suffix=\"\" radical=\"0-{ranks - 1}\" "
                       f"speed=\"{SPEED}\" bw=\"{network.bits:.0f}bps\" lat=\"{network.seconds / 2:.12f}s\"/>\n</platform>\n")
        with open(self.path("hosts"), "w", encoding="utf-8") as file:
            file.writelines(f"host-{k}\n" for k in range(ranks))
        return path

    def smpirun(self, ranks, network, *words):
        said = run(["smpirun", "-np", ranks, "-platform", self.platform(ranks, network), "-hostfile", "hosts",
                    *PLAIN, *words], self.folder)
        found = re.search(r"Simulated time: ([\d.e+-]+) seconds", said)
        if not found:
            raise SimulationError(f"smpirun says no time: {said[-1000:]}")
        return float(found[1])

    def train(self, *words, steps):
        return ["train", "--data", self.data, "--seed", self.seed, "--threads", 1, "--quiet", "--steps", steps, *words]

    def alone(self, out, steps):
        run([self.hcc, *self.train("--out", out, steps=steps), *self.options, self.source])

    def together(self, ranks, network, out, steps):
        """The trace of such a run, which computes what it says."""
        index = self.path(f"trace-{ranks}-{steps}")
        self.smpirun(ranks, network, "-trace-ti", "-trace-file", os.path.basename(index), "./simulated",
                     *self.train("--out", out, steps=steps))
        return Trace(index)

    def replay(self, trace, network):
        trace.write(self.path("replay"))
        return self.smpirun(len(trace.ranks), network, "--log=smpi_replay.thres:error", "-replay", "replay")

    def a_step(self, few, many, network):
        return (self.replay(many, network) - self.replay(few, network)) / (MANY - FEW)


def same_bits(one, other):
    with open(os.path.join(one, "ckpt", "final.safetensors"), "rb") as a, \
            open(os.path.join(other, "ckpt", "final.safetensors"), "rb") as b:
        return a.read() == b.read()


def simulated(simulation, ranks, network, slower=1.0):
    """What is known of so many ranks; see above."""
    if ranks < 2:
        raise SimulationError("one rank says nothing to others: hcc bench times it")
    alone, out = simulation.path("alone"), simulation.path(f"run-{ranks}")
    if not os.path.exists(alone):
        simulation.alone(alone, MANY)
    few = simulation.together(ranks, network, simulation.path(f"few-{ranks}"), FEW)
    many = simulation.together(ranks, network, out, MANY).slower(slower)
    result = {"ranks": ranks, "same_bits": same_bits(alone, out)}
    counts = []
    for before, after in zip(few.ranks, many.ranks):
        counts.append([(b - a) / (MANY - FEW) for a, b in zip(sent(before), sent(after))])
    result["messages"] = [messages for messages, _ in counts]
    result["bytes"] = [size for _, size in counts]
    short = without_steps(few, many)
    result["seconds"] = simulation.a_step(short, many, network)
    result["computing"] = simulation.a_step(short, many, INSTANT)
    result["talking"] = simulation.a_step(short.idle(), many.idle(), network)
    return result


def hidden(result):
    return 1 - (result["seconds"] - result["computing"]) / result["talking"] if result["talking"] else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--ranks", default="2,4,16", help="numbers of ranks, with commas between them (2,4,16)")
    parser.add_argument("--network", type=network_of, default="10Gb/s,10us", help="bandwidth and latency (10Gb/s,10us)")
    parser.add_argument("--slower", type=float, default=1.0, help="times that computation takes (1)")
    parser.add_argument("--data", help="a text (one of few words)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for hcc train")
    parser.add_argument("--precision", help="as for hcc train")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("source", nargs="?", default=os.path.join(ROOT, "examples", "shakespeare.hc"))
    options = parser.parse_args()
    if missing():
        parser.error(missing())
    words = [word for setting in options.set for word in ("--set", setting)]
    if options.precision:
        words += ["--precision", options.precision]
    results = []
    with tempfile.TemporaryDirectory(prefix="hcc-simulated-") as folder:
        data = options.data
        if not data:
            data = os.path.join(folder, "text.txt")
            with open(data, "w", encoding="ascii") as file:
                file.write("the quick brown fox jumps over the lazy dog; " * 600)
        simulation = Simulation(options.hcc, folder, options.source, words, data)
        if not options.json:
            print(f"{'ranks':>5} {'bits':>5} {'messages':>9} {'bytes sent':>12} {'step ms':>9} {'computing':>9} {'talking':>9}  hidden")
        for ranks in map(int, options.ranks.split(",")):
            result = simulated(simulation, ranks, options.network, options.slower)
            results.append(result)
            if not options.json:
                part = hidden(result)
                print(f"{ranks:5} {'same' if result['same_bits'] else 'OTHER':>5} {max(result['messages']):9.0f} "
                      f"{max(result['bytes']):12.0f} {1e3 * result['seconds']:9.3f} {1e3 * result['computing']:9.3f} "
                      f"{1e3 * result['talking']:9.3f}  {'' if part is None else f'{100 * part:.0f} %'}", flush=True)
    if options.json:
        json.dump(results, sys.stdout, indent=1)
        print()
    return 0 if all(result["same_bits"] for result in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SimulationError as e:
        sys.exit(f"simulated_ranks: {e}")
