"""The package as it lies in the source tree, on the libhcc beside the compiler under test; and
tests/harness.py. `import beside` first."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests"))
sys.path.insert(0, os.path.join(HERE, ".."))
import harness

if "--hcc" in sys.argv:
    os.environ["HCC"] = os.path.abspath(sys.argv[sys.argv.index("--hcc") + 1])
if __name__ != "__main__":
    harness.load_sanitizer()
    os.environ["HCC_CACHE_DIR"] = harness.cache_folder()
    os.environ.setdefault("HCC_LIBRARY", os.path.join(os.path.dirname(harness.hcc_path()), "libhcc.so"))
