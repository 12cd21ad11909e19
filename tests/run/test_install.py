#!/usr/bin/env python3
"""What `cmake --install` leaves, in a prefix that was moved since: hcc, and projects that are built
against it with CMake and with pkg-config."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

CONSUMER = os.path.join(harness.ROOT, "tests", "consumer")
UNINSTALL = os.path.join(harness.ROOT, "cmake", "uninstall.cmake")
PRINTED = "36\n"


def reason_to_skip():
    for tool in ("cmake", "cc", "pkg-config"):
        if not shutil.which(tool):
            return f"there is no {tool}"
    return "a sanitized runtime is not one to install" if harness.sanitized() else ""


def install(prefix):
    """Installs the build folder of the compiler under test; the list of files is ours, the build
    folder keeps its own."""
    build = os.path.dirname(harness.hcc_path())
    manifest = os.path.join(build, "install_manifest.txt")
    before = None
    if os.path.exists(manifest):
        with open(manifest, encoding="utf-8") as file:
            before = file.read()
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True,
                   stdout=subprocess.DEVNULL)
    with open(manifest, encoding="utf-8") as file:
        listed = file.read()
    if before is None:
        os.unlink(manifest)
    else:
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(before)
    return listed


class Installed(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = reason_to_skip()
        if reason:
            raise unittest.SkipTest(reason)
        cls.home = tempfile.mkdtemp(prefix="hcc-test-install-")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.listed = install(os.path.join(cls.home, "first"))
        cls.prefix = os.path.join(cls.home, "moved here")
        os.rename(os.path.join(cls.home, "first"), cls.prefix)
        cls.hcc = os.path.join(cls.prefix, "bin", "hcc")

    def found(self, name):
        for folder, _, files in os.walk(self.prefix):
            if name in files:
                return os.path.join(folder, name)
        return self.fail(f"{name} is not installed")

    def test_a_cmake_project(self):
        said = self.expect(harness.run(
            ["cmake", "-S", CONSUMER, "-B", self.folder, f"-DCMAKE_PREFIX_PATH={self.prefix}"]))
        self.expect(harness.run(["cmake", "--build", self.folder]))
        for model in ("line", "alone", "apart"):
            self.assertEqual(self.expect(harness.run([self.path(f"with_{model}")])).out, PRINTED, said)

        said = harness.run([self.path("in_process"), os.path.join(CONSUMER, "line.hc")])
        self.assertEqual(self.expect(said).out, PRINTED)

    def test_another_version_is_not_taken(self):
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\n"
                   "project(consumer LANGUAGES NONE)\nfind_package(hcc 0.9 REQUIRED)\n")
        said = self.expect(harness.run(
            ["cmake", "-S", self.folder, "-B", self.path("build"),
             f"-DCMAKE_PREFIX_PATH={self.prefix}"]), 1)
        self.assertIn("compatible with requested version", " ".join(said.err.split()))

    def test_pkg_config(self):
        env = {"PKG_CONFIG_PATH": os.path.dirname(self.found("hcc.pc"))}
        self.expect(harness.run([self.hcc, "build", os.path.join(CONSUMER, "line.hc"), "-o",
                                 self.path("line.o")]))
        for arguments, library in ((["--libs"], "dynamic"), (["--static", "--libs"], "static")):
            with self.subTest(library):
                said = harness.run(["pkg-config", "--cflags", *arguments, "hcc"], env=env)
                flags = shlex.split(self.expect(said).out)
                if library == "static":
                    at = flags.index("-lhcrt")
                    flags[at:at + 1] = ["-Wl,-Bstatic", "-lhcrt", "-Wl,-Bdynamic"]
                program = self.path(library)
                self.expect(harness.run(["cc", "-I", self.folder, os.path.join(CONSUMER, "main.c"),
                                         self.path("line.o"), *flags, "-o", program]))
                env_run = {"LD_LIBRARY_PATH": os.path.dirname(self.found("libhcrt.so"))}
                self.assertEqual(self.expect(harness.run([program], env=env_run)).out, PRINTED)

    def test_the_runtime_shows_the_interface_alone(self):
        shown = self.expect(harness.run(["nm", "-D", "--defined-only", self.found("libhcrt.so")])).out
        names = [line.split()[2] for line in shown.splitlines()]
        with open(self.found("hc.h"), encoding="utf-8") as file:
            header = file.read()
        self.assertIn("hc_create", names)
        for name in names:
            self.assertIn(f"{name}(", header)

    def test_hcc_links_with_what_is_installed(self):
        self.expect(harness.run([self.hcc, "build", os.path.join(CONSUMER, "line.hc"), "-o",
                                 self.path("line")]))
        self.assertIn("model line", self.expect(harness.run([self.path("line"), "info"])).out)

    def test_uninstalled(self):
        """Nothing of ours is left, and what others put beside it is."""
        prefix = self.path("prefix")
        manifest = self.write("installed.txt", install(prefix))
        theirs = os.path.join(prefix, "include", "theirs.h")
        with open(theirs, "w", encoding="utf-8") as file:
            file.write("\n")
        self.expect(harness.run(["cmake", f"-DMANIFEST={manifest}", "-P", UNINSTALL]))
        left = [os.path.join(folder, name) for folder, _, files in os.walk(prefix) for name in files]
        self.assertEqual(left, [theirs])
        folders = [folder for folder, _, _ in os.walk(prefix) if os.path.basename(folder) == "hcc"]
        self.assertEqual(folders, [])


if __name__ == "__main__":
    harness.main(__name__)
