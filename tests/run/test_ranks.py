#!/usr/bin/env python3
"""Runs of several processes under MPI: the bits of one process, whatever happens in between.

Open MPI and MPICH both, where hcc was built beside them; skipped with the reason where there is none.
HCC_TEST_EVERYTHING=1: 1, 2, 3, 4 and 7 processes by 1 and 2 threads, of every recipe below.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
import harness
from harness import hcc
from test_resume import bytes_of, log_of

EVERYTHING = bool(os.environ.get("HCC_TEST_EVERYTHING"))
ENVIRONMENT = {  # more processes than cores, as root, in a container
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_plm": "isolated",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    # Both MPIs leave memory behind, in modules that are gone when it is looked for, so no name could leave it out.
    "ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"])),
    "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", f"suppressions={harness.ROOT}/tests/threads.supp")}

SMALL = ["d=32", "heads=2", "blocks=1", "context=16", "train.warmup=2"]
#: A loss whose weights are the whole batch's, so that parts run in rounds, and ranks meet after each; dropout; two
#: parameters that have one gradient, which is copied from one to the other; and some that are projected.
WEIGHED = """use std;
model weighed {
  const d = 32, context = 16, blocks = 1;
  positions t <= context causal;
  input  tokens[t] : token(256);
  target next[t]   : token(256);
  param E[256, d] ~ normal(0.1);
  param once[256] ~ normal(0.1);
  param twice[256] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks {
    attn = mhc(n = 2) : attention(2, dropout = 0.2); mlp = mhc(n = 2) : mlp(48, dropout = 0.2, sphere = true); } };
  let logits[v] = (sum[c] E[v,c] * h[c]) + once[v] + twice[v];
  loss cross_entropy(logits, next) weight select(next == 32, 0.25, 1);
}
train weighed {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 1e-2);
}
"""
#: name: (settings, options). Dropout, rounds, clipping, an average; three optimisers; both precisions.
RECIPES = {
    "weighed": (["train.batch=7 in 7", "train.clip=0.5", "train.eval_every=4"], []),
    "adamw": (["wiring=mhc", "train.batch=8 in 8", "train.ema=0.8", "train.clip=0.5", "train.eval_every=4"], []),
    "muon": (["wiring=dhc", "train.batch=7 in 7", "train.optimizer=muon"], []),
    "lion": (["wiring=frac(m=2)", "train.batch=9 in 9", "train.optimizer=lion"], []),
    "bf16": (["wiring=residual", "train.batch=8 in 8", "d=64"], ["--precision", "bf16"]),
}


def command(out, recipe, *more, steps=9, threads=1):
    settings, options = RECIPES[recipe]
    file = WEIGHED_FILE if recipe == "weighed" else "examples/shakespeare.hc"
    words = ["train", file, "--out", out, "--seed", "5", "--quiet", "--threads", threads,
             *options]
    small = ["train.warmup=2"] if recipe == "weighed" else SMALL
    for setting in [*small, f"train.steps={steps}", *settings]:
        words += ["--set", setting]
    return list(map(str, [*words, *more]))


def mpirun(mpi, count, *words, program=None):
    return [f"mpirun.{mpi}", "-n", str(count), program or harness.hcc_path(), *words]


def shared_object(mpi):
    return os.path.join(os.path.dirname(harness.hcc_path()), f"libhcranks_{mpi}.so")


def tensors_of(path):
    """What a safetensors file holds, without its metadata: notes there tell of times."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        del header["__metadata__"]
        return header, file.read()


def wait_until(holds, seconds):
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.02)


def children(process):
    """Processes below one, itself not among them; of what has ended meanwhile there are none."""
    found = []
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    found += [child, *children(child)]
    except OSError:
        pass
    return found


def runs_hcc(process):
    try:
        return os.path.samefile(f"/proc/{process}/exe", harness.hcc_path())
    except OSError:
        return False


def rank_of(process):
    with open(f"/proc/{process}/environ", "rb") as file:
        for name, _, value in (line.partition(b"=") for line in file.read().split(b"\0")):
            if name in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
                return int(value)
    return None


class Ranks(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        global LAUNCHERS, WEIGHED_FILE
        LAUNCHERS = [mpi for mpi in ("openmpi", "mpich")
                     if shutil.which(f"mpirun.{mpi}") and os.path.exists(shared_object(mpi))]
        if not LAUNCHERS:
            raise harness.unittest.SkipTest("hcc was built beside no MPI (Debian's libopenmpi-dev or libmpich-dev)")
        if harness.sanitized():  # MPICH's UCX rewrites machine code that sanitizers have in place of the system's
            ENVIRONMENT["UCX_MEM_EVENTS"] = "no"
        cls.shared = tempfile.mkdtemp(prefix="hcc-ranks-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.data = os.path.join(cls.shared, "text.txt")
        with open(cls.data, "wb") as file:
            file.write(b"the quick brown fox jumps over the lazy dog; " * 60)
        cls.wholes = {}
        WEIGHED_FILE = os.path.join(cls.shared, "weighed.hc")
        with open(WEIGHED_FILE, "w", encoding="utf-8") as file:
            file.write(WEIGHED)

    def whole(self, recipe, **words):
        """A run of one process, made once."""
        key = (recipe, *sorted(words.items()))
        if key not in self.wholes:
            out = os.path.join(self.shared, f"whole-{len(self.wholes)}")
            result = hcc(*command(out, recipe, "--data", self.data, **words))
            self.assertEqual(result.code, 0, result)
            self.wholes[key] = out
        return self.wholes[key]

    def together(self, mpi, count, *words, program=None, **environment):
        return harness.run(mpirun(mpi, count, *words, program=program), env={**ENVIRONMENT, **environment}, timeout=300)

    def same(self, run, whole):
        self.assertEqual(bytes_of(run, "ckpt", "final.safetensors"), bytes_of(whole, "ckpt", "final.safetensors"))
        self.assertEqual(log_of(run), log_of(whole))
        state = os.path.join("ckpt", "last", "state.safetensors")
        self.assertEqual(tensors_of(os.path.join(run, state)), tensors_of(os.path.join(whole, state)))

    def ranks_of(self, run):
        with open(os.path.join(run, "config.json"), encoding="utf-8") as config:
            return json.load(config)["processes"]["ranks"]

    def test_bits(self):
        tried = [(r, p, t) for r in RECIPES for p in (2, 3, 4, 7) for t in (1, 2)] if EVERYTHING else \
            [("adamw", 3, 1), ("muon", 7, 1), ("lion", 2, 2), ("bf16", 4, 1), ("weighed", 3, 1)]
        for k, (recipe, count, threads) in enumerate(tried):
            mpi = LAUNCHERS[k % len(LAUNCHERS)]
            with self.subTest((recipe, count, threads, mpi)):
                out = os.path.join(self.folder, f"run-{k}")
                result = self.together(mpi, count, *command(out, recipe, "--data", self.data, threads=threads))
                self.assertEqual(result.code, 0, result)
                self.same(out, self.whole(recipe))
                self.assertEqual(len(self.ranks_of(out)), count)

    def test_weights_that_arrive_late(self):
        """Nothing reads a weight before it was waited for: until then what others send of theirs is no number (late_ranks.c).
        While training, evaluating (also averages), projecting, looking at the wiring and saving."""
        late = {"HCC_RANKS": os.path.join(os.path.dirname(harness.hcc_path()), "tests", "liblate_ranks.so"),
                "LATE_RANKS": shared_object(LAUNCHERS[0])}
        for recipe, count, more in (("weighed", 3, []), ("adamw", 4, ["--wiring-every", "2"]), ("muon", 2, ["--set", "train.save_every=2"])):
            with self.subTest(recipe):
                whole, out = self.path("whole-" + recipe), self.path(recipe)
                self.expect(hcc(*command(whole, recipe, "--data", self.data, *more)))
                self.expect(self.together(LAUNCHERS[0], count, *command(out, recipe, "--data", self.data, *more), **late))
                self.same(out, whole)

    def test_a_share_of_the_state(self):
        """Of two moments and an average of every parameter each rank keeps its own alone; also where the log has
        norms of gradients, for which they are gathered. What it sends is as said, of parts that are a power of two, and of three ranks."""
        more = ["--set", "d=128", "--wiring-every", "2"]
        result = hcc(*command(self.path("whole"), "adamw", "--data", self.data, *more, steps=4))
        self.assertEqual(result.code, 0, result)
        for count, mpi in ((2, LAUNCHERS[0]), (4, LAUNCHERS[-1]), (3, LAUNCHERS[0])):
            out = self.path(f"run-{count}")
            result = self.together(mpi, count, *command(out, "adamw", "--data", self.data, *more, steps=4))
            self.assertEqual(result.code, 0, result)
            self.same(out, self.path("whole"))
            with open(os.path.join(out, "config.json"), encoding="utf-8") as config:
                all_of_it = 3 * 4 * json.load(config)["parameters"]
            with open(os.path.join(out, "summary.json"), encoding="utf-8") as summary:
                sent = json.load(summary)["bytes_sent_a_step"]
            self.assertEqual(len(sent), count)
            wanted = 2 * (count - 1) / count * all_of_it / 3
            self.assertLess(max(sent), (1.05 if count != 3 else 2) * wanted)
            self.assertAlmostEqual(sum(sent) / count / wanted, 1, delta=0.02 if count != 3 else 1)
            kept = [rank["state_bytes"] for rank in self.ranks_of(out)]
            self.assertLess(max(kept), 1.2 * all_of_it / count)
            self.assertAlmostEqual(sum(kept) / all_of_it, 1, delta=0.02)

    def test_a_built_program(self):
        program = self.path("m")
        words = command("", "adamw")
        settings = [word for k, word in enumerate(words) if word == "--set" or words[k - 1] == "--set"]
        result = hcc("build", "examples/shakespeare.hc", "-o", program, *settings)
        self.assertEqual(result.code, 0, result)
        result = self.together(LAUNCHERS[0], 2, "train", "--data", self.data, "--out", self.path("run"), "--seed", "5",
                               "--quiet", program=program, HCC_RANKS=shared_object(LAUNCHERS[0]))
        self.assertEqual(result.code, 0, result)
        self.assertEqual(bytes_of(self.path("run"), "ckpt", "final.safetensors"),
                         bytes_of(self.whole("adamw"), "ckpt", "final.safetensors"))
        with open(self.path("run/config.json"), encoding="utf-8") as config:
            for rank in json.load(config)["processes"]["ranks"]:  # bound to no core, both may use all
                self.assertEqual(rank["threads"], max(1, rank["cores"] // 2))

    def test_what_differs_is_refused(self):
        """Before the first step, once, with both ranks' names, by exit code 2."""
        script = self.write("differ.sh", "rank=${OMPI_COMM_WORLD_RANK:-$PMI_RANK}\n"
                            "eval \"more=\\$MORE_$rank\"\nexec \"$@\" $more\n")
        other = self.write("other.txt", "another text, of other letters. " * 90)
        for more, said in (("--seed 6", 'the recipe of rank 0 (%s) is `"seed": 5`, of rank 1 (%s) `"seed": 6`'),
                           ("--set d=64", 'the constants of rank 0 (%s) is `"d": "32"`, of rank 1 (%s) `"d": "64"`'),
                           ("--precision bf16", "the precision of rank 0 (%s) is `f32`, of rank 1 (%s) `bf16`"),
                           ("--cpu x86-64-v3", "they would round differently; give all ranks --cpu"),
                           (f"--data {other}", "the data's hash of rank 0 (%s) is")):
            with self.subTest(more):
                words = command(self.path("run"), "adamw")
                given = {"MORE_0": "", "MORE_1": more}
                if more.startswith("--data"):
                    given["MORE_0"] = f"--data {self.data}"
                else:
                    words += ["--data", self.data]
                result = self.together(LAUNCHERS[0], 2, script, harness.hcc_path(), *words, program="bash", **given)
                self.assertEqual(result.code, 2, result)
                host = os.uname().nodename
                self.assertIn(said.replace("%s", host), result.err)
                self.assertEqual(result.err.count("hcc: error"), 1, result.err)
                self.assertFalse(os.path.exists(self.path("run")))

    def test_a_mistake_is_told_once(self):
        """Of the model's text by all, or by one rank with its name; all end."""
        script = "eval \"file=\\$FILE_${OMPI_COMM_WORLD_RANK:-$PMI_RANK}\"; exec \"$0\" train $file --data \"$1\""
        bad = self.write("bad.hc", "model m { lets go; }\n")
        for mpi in LAUNCHERS:
            for files, told in (([bad] * 3, ""), (["examples/shakespeare.hc", "examples/shakespeare.hc", bad],
                                                  f"rank 2 ({os.uname().nodename}):\n")):
                with self.subTest((mpi, told)):
                    given = {f"FILE_{rank}": file for rank, file in enumerate(files)}
                    result = self.together(mpi, 3, "-c", script, harness.hcc_path(), self.data, program="bash",
                                           **given)
                    self.assertEqual(result.code, 1, result)
                    self.assertEqual(result.err.count("there is no statement `lets`"), 1, result.err)
                    self.assertIn(told + "error[E0106]", result.err)

    def test_what_one_or_all_meet_is_told_once(self):
        """Command lines, data, folders; of one rank alone with its name. All end with its exit code."""
        short, taken = self.write("short.txt", "short"), self.path("taken")
        os.makedirs(taken)
        shutil.copy(os.path.join(self.whole("adamw"), "config.json"), taken)
        script = 'eval "more=\\$MORE_${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"; exec "$0" "$@" $more'
        host = os.uname().nodename
        data = f"--data {self.data}"
        table = [(["--nope"] * 3, 2, "hcc: unknown option '--nope'"),
                 ([data, "--nope", "--nope"], 2, f"rank 1 ({host}):\nhcc: unknown option '--nope'"),
                 (["--data /nowhere/x"] * 3, 3, "hcc: error: cannot read data `/nowhere/x`"),
                 ([f"--data {short}"] * 3, 3, f"hcc: error: the data (`{short}`) are too short"),
                 ([data, data, f"{data} --tokenizer {short}"], 2, f"hcc: error: rank 2 ({host}): "),
                 ([f"{data} --out {taken}", data, data], 2, f"hcc: error: rank 0 ({host}): `{taken}` already holds a run")]
        for k, (more, code, told) in enumerate(table):
            mpi = LAUNCHERS[k % len(LAUNCHERS)]
            with self.subTest((mpi, more)):
                given = {f"MORE_{rank}": words for rank, words in enumerate(more)}
                words = command(self.path(f"run-{k}"), "adamw")
                result = self.together(mpi, 3, "-c", script, harness.hcc_path(), *words,
                                       program="bash", **given)
                self.expect(result, code)
                self.assertIn(told, result.err)
                self.assertEqual(result.err.count("hcc: "), 1, result.err)
                self.assertFalse(os.path.exists(self.path(f"run-{k}")))

    def test_a_disk_that_fills(self):
        """Is the error of the rank that saves; what was saved last goes on, with another number of ranks."""
        for mpi in LAUNCHERS if EVERYTHING else LAUNCHERS[-1:]:
            with self.subTest(mpi):
                out = self.path(mpi)
                process, ranks = self.begin(mpi, out)
                first = next(rank for rank in ranks if rank_of(rank) == 0)
                resource.prlimit(first, resource.RLIMIT_FSIZE, (20480, 20480))
                said = process.communicate(timeout=30)[0].decode()
                self.assertEqual(process.returncode, 6, said)
                self.assertIn(f"rank 0 ({os.uname().nodename}): cannot write `{out}", said)
                self.assertIn("File too large", said)
                self.assertEqual(said.count("hcc: error"), 1, said)
                self.all_end(ranks)
                self.expect(self.together(mpi, 2, "train", "--resume", out, "--threads", "1", "--quiet"))
                self.same(out, self.whole("adamw", steps=400))

    def test_a_rank_that_hangs(self):
        """Those that wait for it give it up, and end the job."""
        for mpi in LAUNCHERS if EVERYTHING else LAUNCHERS[-1:]:
            with self.subTest(mpi):
                process, ranks = self.begin(mpi, self.path(mpi), HCC_RANKS_TIMEOUT="3")
                os.kill(next(rank for rank in ranks if rank_of(rank) == 1), signal.SIGSTOP)
                said = process.communicate(timeout=60)[0].decode()
                self.assertEqual(process.returncode, 6, said)
                self.assertIn("it has ended, or did not answer for 3 seconds", said)
                self.all_end(ranks)

    def test_more_ranks_than_parts(self):
        for mpi in LAUNCHERS:
            result = self.together(mpi, 3, *command(self.path("run"), "adamw", "--data", self.data, "--set",
                                                    "train.batch=8 in 2"))
            self.assertEqual(result.code, 2)
            self.assertIn("3 ranks and 2 parts of a batch: each rank needs one, so give `batch B in 3;`", result.err)

    def begin(self, mpi, out, **environment):
        """Starts 3 processes; the launcher and they, once they train."""
        words = mpirun(mpi, 3, *command(out, "adamw", "--data", self.data, steps=400))
        process = subprocess.Popen(words, env=harness.environment({**ENVIRONMENT, **environment}), cwd=harness.ROOT, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        log = os.path.join(out, "log.jsonl")
        wait_until(lambda: os.path.exists(log) and os.path.getsize(log) > 2000, 120)
        ranks = [child for child in children(process.pid) if runs_hcc(child)]
        self.assertEqual(len(ranks), 3)
        return process, ranks

    def all_end(self, ranks):
        wait_until(lambda: not any(os.path.exists(f"/proc/{rank}") for rank in ranks), 30)

    def interrupted(self, mpi, number, of_all):
        """Sends one of 3 processes (or the launcher) a signal once they train; the exit code, and what was said."""
        out = self.path(f"run-{mpi}-{number}-{of_all}")
        process, ranks = self.begin(mpi, out)
        os.kill(process.pid if of_all else ranks[1], number)
        said = process.communicate(timeout=120)[0].decode()
        self.all_end(ranks)
        return out, process.returncode, said

    def test_ends_and_goes_on(self):
        """A killed rank ends all; so does a request to stop, behind a step; another number goes on."""
        saved = "hcc: interrupted after step"
        for k, (number, of_all, ends, told) in enumerate(
                ((signal.SIGKILL, False, {"openmpi": 137, "mpich": 9}, "on signal 9"),
                 (signal.SIGTERM, False, {"openmpi": 143, "mpich": 143}, saved),
                 (signal.SIGTERM, True, {"mpich": 143}, saved))):
            mpi = LAUNCHERS[k % len(LAUNCHERS)]
            with self.subTest((mpi, number, of_all)):
                out, code, said = self.interrupted(mpi, number, of_all)
                self.assertNotEqual(code, 0)
                self.assertEqual(code, ends.get(mpi, code))
                self.assertIn(told if mpi == "openmpi" else told.replace("on signal 9", "(signal 9)"), said)
                self.assertLess(len(log_of(out)), 400)
                result = self.together(mpi, (2, 3, 4)[k], "train", "--resume", out, "--threads", "1", "--quiet")
                self.assertEqual(result.code, 0, result)
                self.same(out, self.whole("adamw", steps=400))

    def test_what_is_foreseen(self):
        """Before anything runs `hcc info` says what ranks send, exactly, and about what memory they need."""
        tried = [(recipe, count) for recipe in RECIPES for count in range(2, 8)] if EVERYTHING else \
            [("adamw", 3), ("muon", 2), ("weighed", 5), ("bf16", 2)]
        for k, (recipe, count) in enumerate(tried):
            with self.subTest((recipe, count)):
                out, more = self.path(f"run-{k}"), [] if recipe == "weighed" else ["--set", "d=128"]
                words = command(out, recipe, "--data", self.data, *more, steps=3)
                self.expect(self.together(LAUNCHERS[k % len(LAUNCHERS)], count, *words))
                told = [word for at, word in enumerate(words) if {word, words[at - 1]} & {"--set", "--precision"}]
                said = json.loads(self.expect(hcc("info", words[1], "--json", "--ranks", str(count), *told)).out)["of_ranks"]
                with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
                    summary = json.load(file)
                sent, word = summary["bytes_sent_a_step"], 4 * (count - 1)  # the word that goes round behind a step
                self.assertEqual((said["bytes_sent"], said["mean_bytes_sent"]), (max(sent) + word, sum(sent) // count + word))
                self.assertAlmostEqual(said["memory_bytes"] / max(summary["memory_bytes_by_rank"]), 1, delta=0.15)
        timed = ["info", "examples/shakespeare.hc", "--set", "train.batch=8 in 8", "--ranks", "2", "--network", "1Gb/s,1us"]
        for more, measured in (([], False), (["--step-ms", "900"], True)):
            said = json.loads(self.expect(hcc(*timed, *more, "--json")).out)["of_ranks"]
            self.assertEqual(said["step_measured"], measured)
            self.assertEqual("speeds of no machine" in self.expect(hcc(*timed, *more)).out, not measured)
        self.assertAlmostEqual(said["step_seconds_alone"], 0.9)
        for words, code, expected in ((["--ranks", "9"], 2, "9 ranks and 8 parts of a batch"),
                                      (["--ranks", "2", "--network", "fast"], 2, "such as 25Gb/s,10us, not 'fast'"),
                                      (["--network", "1Gb/s,1us"], 2, "--network needs --ranks")):
            self.assertIn(expected, self.expect(hcc("info", "examples/shakespeare.hc", "--set", "train.batch=8 in 8", *words), code).err)

    def test_alone_without_a_launcher(self):
        """Nothing links to MPI, and one process of a launcher is alone."""
        linked = harness.run(["ldd", harness.hcc_path()]).out
        self.assertNotIn("mpi", linked)
        out = self.path("run")
        result = self.together(LAUNCHERS[0], 1, *command(out, "adamw", "--data", self.data))
        self.assertEqual(result.code, 0, result)
        self.same(out, self.whole("adamw"))
        result = self.together(LAUNCHERS[0], 2, *command(self.path("other"), "adamw", "--data", self.data),
                               HCC_RANKS="/nowhere/libranks.so")
        self.assertEqual(result.code, 6)
        self.assertIn("what speaks to the others cannot be loaded (HCC_RANKS may say where it is)", result.err)


if __name__ == "__main__":
    harness.main(__name__)
