"""Processes that measure, and the machine they run on."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import statistics
import subprocess
import threading
import time


class BenchError(RuntimeError):
    """A run that failed, or whose output is not what the interface says."""


OPENBLAS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def environment(more=None):
    """Of what measures: OpenBLAS chooses its kernels by itself, unless a run is told others."""
    kept = {name: value for name, value in os.environ.items() if name not in OPENBLAS}
    return {**kept, **(more or {})}


def run_text(command, timeout, more=None):
    """What the command prints on standard output; more: of the environment."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False,
                              env=environment(more))
    except OSError as e:
        raise BenchError(f"cannot run {words[0]}: {e.strerror}") from e
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"longer than {timeout:.0f} s: {' '.join(words)}") from e
    if done.returncode != 0:
        said = complaint(done.stderr.strip() or done.stdout.strip())
        raise BenchError(f"exit code {done.returncode}: {' '.join(words)}\n{said}")
    return done.stdout


def complaint(text):
    """The messages of hcc's diagnostics, or the last lines of what else was said."""
    try:
        return "\n".join(f"{d['code']}: {d['message']}" for d in json.loads(text))
    except (json.JSONDecodeError, KeyError, TypeError):
        return "\n".join(text.splitlines()[-8:])


def run_json(command, timeout, more=None):
    """The JSON object that the command prints, as the last line of its output or as all of it."""
    text = run_text(command, timeout, more)
    for part in (text, text.strip().rpartition("\n")[2]):
        try:
            return json.loads(part)
        except json.JSONDecodeError:
            pass
    raise BenchError(f"no JSON from {' '.join(map(str, command))}: {text[:200]!r}")


class Waiting:
    """A process that says a JSON object when it is ready, and answers each line with a number."""

    def __init__(self, command, more=None):
        words = [str(word) for word in command]
        try:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            text=True, env=environment(more))
        except OSError as e:
            raise BenchError(f"cannot run {words[0]}: {e.strerror}") from e
        self.name = words[0]
        self.greeting = self.said(json.loads)

    def said(self, read):
        line = self.process.stdout.readline()
        try:
            return read(line)
        except ValueError as e:
            self.end()
            raise BenchError(f"{self.name} ended, exit code {self.process.returncode}") from e

    def ask(self, question):
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what it says tells
        return self.said(float)

    def end(self):
        try:
            self.process.communicate()
        except BrokenPipeError:
            self.process.wait()


def in_threads(work, pairs, repeats):
    """Seconds of the fastest of some repeats of work(item) for all items at once, a thread each; of one
    alone those of the processor, which others that run meanwhile do not count in."""
    best = float("inf")
    for _ in range(repeats + 1):  # the first touches the pages
        if len(pairs) == 1:
            begun = time.thread_time()
            work(pairs[0])
            best = min(best, time.thread_time() - begun)
            continue
        workers = [threading.Thread(target=work, args=(pair,)) for pair in pairs]
        begun = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - begun)
    return best


def read_bandwidth(threads, megabytes=512, repeats=5):
    """Bytes a second of the C library's search for a byte that is not there, each thread in its share
    of them; the best of some repeats."""
    share = megabytes * (1 << 20) // threads
    library = ctypes.CDLL(None)  # which runs without the interpreter's lock
    library.memchr.restype, library.memchr.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int,
                                                                        ctypes.c_size_t]
    buffers = [ctypes.create_string_buffer(share) for _ in range(threads)]
    for buffer in buffers:
        ctypes.memset(buffer, 1, share)
    return share * threads / in_threads(lambda b: library.memchr(b, 2, share), buffers, repeats)


def copy_bandwidth(threads, megabytes=256, repeats=5):
    """Bytes a second, read and written ones counted, of the C library's copy between two buffers far
    larger than any cache, each thread with its share of them; the best of some repeats."""
    share = megabytes * (1 << 20) // threads
    pairs = [(ctypes.create_string_buffer(share), ctypes.create_string_buffer(share))
             for _ in range(threads)]

    def copy(pair):
        ctypes.memmove(pair[1], pair[0], share)  # without the interpreter's lock

    return 2 * share * threads / in_threads(copy, pairs, repeats)


def load():
    return os.getloadavg()[0]


def machine():
    model, flags = platform.processor(), ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    model = value.strip()
                elif name.strip() == "flags":
                    flags = value
    except OSError:
        pass
    vectors = [x for x in ("avx512f", "avx2") if x in flags.split()]
    narrow = [x for x in ("avx512_bf16", "amx_bf16") if x in flags.split()]
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "vectors": ", ".join(vectors[:1] + narrow),
        "system": platform.platform(),
        "load_before": load(),
    }


def summary(values):
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
