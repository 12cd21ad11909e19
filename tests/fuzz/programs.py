"""Random well-typed programs: `text(seed)` is a `.hc` file with one model, always the same for a seed."""

import random

from program import Program
from several import Several

SEVERAL = 0.3  # of programs: their models have several spaces of positions


def text(seed):
    kind = Several if random.Random(f"{seed} spaces").random() < SEVERAL else Program
    return kind(seed).text()


if __name__ == "__main__":
    import sys
    print(text(int(sys.argv[1])), end="")
