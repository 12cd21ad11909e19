#!/usr/bin/env python3
"""What `cmake --install` leaves, in a prefix that was moved since: hcc, and projects that are built
against it with CMake and with pkg-config."""

import os
import re
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
            if name in files and os.path.basename(folder) != "bin":
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
             f"-Dhcc_DIR={os.path.dirname(self.found('hccConfig.cmake'))}"]), 1)
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

    @unittest.skipUnless(harness.EVERYTHING, "takes long; scripts/try_package.sh does more")
    def test_package(self):
        if not shutil.which("dpkg-shlibdeps"):
            self.skipTest("there is no dpkg-shlibdeps")
        self.expect(harness.run(["cpack", "-B", self.folder],
                                cwd=os.path.dirname(harness.hcc_path())))
        package = next(name for name in os.listdir(self.folder) if name.endswith(".deb"))
        needs = self.expect(harness.run(["dpkg-deb", "-f", self.path(package), "Depends"])).out
        for name in ("libopenblas0", "libjansson4", "libllvm", "libjansson-dev"):
            self.assertIn(name, needs)

    def test_manual(self):
        """A page for hcc and for each command, which say what --help says, and which man takes."""
        table = self.expect(harness.run([self.hcc, "--help=markdown"])).out
        sections = re.findall(r"^## `hcc (\w+).*?(?=^## )", table, re.MULTILINE | re.DOTALL)
        pages = dict(zip(sections, re.split(r"^## `hcc ", table, flags=re.MULTILINE)[1:]))
        self.assertIn("train", pages)
        with open(self.found("hcc.1"), encoding="utf-8") as file:
            self.assertEqual(re.findall(r"\\fBhcc\\-(\w+)\\fR\(1\)", file.read()), list(pages))
        for command, section in pages.items():
            with open(self.found(f"hcc-{command}.1"), encoding="utf-8") as file:
                page = re.sub(r"\\f[BR]|\\(?=-)", "", file.read())
            options = re.findall(r"^\| `(.*?)`", section.split("\n## ", 1)[0], re.MULTILINE)
            self.assertIn("-h, --help", options)
            for option in options:
                self.assertIn(f"\n{option}\n", page)
        if not shutil.which("groff"):
            self.skipTest("there is no groff")
        said = self.expect(harness.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", self.found("hcc.1"),
             *(self.found(f"hcc-{command}.1") for command in pages)]))
        self.assertEqual(said.err, "")

    def test_bash_completes(self):
        """Commands, a command's options, values: what `complete` would offer."""
        self.write("model.hc", "")
        self.write("other.txt", "")
        os.mkdir(self.path("runs"))
        for words, offered, others in (
                (["tra"], {"train"}, None),
                (["train", "--tens"], {"--tensorboard"}, None),
                (["train", "--color", ""], {"auto", "always", "never"}, None),
                (["train", "--color", "=", "al"], {"always"}, None),
                (["emit", "--stage", "s"], {"schedule"}, None),
                (["emit", "--print-after", "ca"], {"canon", "calls"}, None),
                (["build", "--part", "t"], {"turn"}, {"read"}),
                (["check", "mod"], {"model.hc"}, None),
                (["eval", ""], {"runs"}, {"model.hc"}),
                (["show", "mhc"], {"mhc"}, {"dhc"}),
                (["train", "--steps", ""], set(), {"model.hc"})):
            with self.subTest(words):
                line = " ".join(shlex.quote(word) for word in words)
                said = self.expect(harness.run(
                    ["bash", "--norc", "-c", f"source {shlex.quote(self.found('hcc'))}\n"
                     f"COMP_WORDS=(hcc {line}); COMP_CWORD={len(words)}; _hcc\n"
                     'printf "%s\\n" "${COMPREPLY[@]}"'], cwd=self.folder,
                    env={"PATH": os.path.dirname(self.hcc) + ":" + os.environ["PATH"]})).out.split()
                self.assertLessEqual(offered, set(said))
                self.assertFalse((others or set()) & set(said))

    def test_zsh_and_fish_complete(self):
        for shell, name, line, offered in (
                ("fish", "hcc.fish", "source {}; complete -C 'hcc train --tens'", "--tensorboard"),
                ("fish", "hcc.fish", "source {}; complete -C 'hcc tra'", "train"),
                ("zsh", "_hcc", "_arguments() {{ print -rl -- \"$@\"; state=rest }}\n"
                 "words=(train); source {}", "--tensorboard[")):
            with self.subTest(shell, line=line):
                if not shutil.which(shell):
                    self.skipTest(f"there is no {shell}")
                command = line.format(shlex.quote(self.found(name)))
                self.assertIn(offered, self.expect(harness.run([shell, "-c", command])).out)

    def test_uninstalled(self):
        """Nothing of ours is left, and what others put beside it is."""
        prefix = self.path("prefix")
        shutil.copytree(self.prefix, prefix, symlinks=True)
        manifest = self.write("installed.txt", self.listed.replace(
            os.path.join(self.home, "first"), prefix))
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
