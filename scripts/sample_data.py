#!/usr/bin/env python3
"""Writes the data of the examples, from an installed scikit-learn, as plain text.

    pip install scikit-learn
    python3 scripts/sample_data.py data
    build/hcc train examples/vit.hc --data data

digits.csv      1797 digits of 8 by 8, 64 columns from 0 to 16, then the digit (no header)
diabetes.csv    442 patients: age, sex, bmi, bp, s1 .. s6, and how the disease went on in `target`
"""

import gzip
import importlib.util
import os
import sys


def bundled(name):
    """The text of a data file that scikit-learn carries; scikit-learn itself is not loaded."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None:
        sys.exit("sample_data.py: this Python has no scikit-learn: pip install scikit-learn")
    path = os.path.join(os.path.dirname(spec.origin), "datasets", "data", name)
    with gzip.open(path, "rt", encoding="ascii") as file:
        return file.read()


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "digits.csv"), "w", encoding="ascii") as to:
        to.write(bundled("digits.csv.gz"))
    names = ["age", "sex", "bmi", "bp", *(f"s{k}" for k in range(1, 7)), "target"]
    rows = bundled("diabetes_data_raw.csv.gz").splitlines()
    targets = bundled("diabetes_target.csv.gz").splitlines()
    with open(os.path.join(folder, "diabetes.csv"), "w", encoding="ascii") as to:
        to.write(",".join(names) + "\n")
        for row, target in zip(rows, targets, strict=True):
            to.write(",".join([*row.split(), target.strip()]) + "\n")


if __name__ == "__main__":
    main()
