"""What the benchmark moves: one large random file, and a tree of many small ones."""

import math
import os
import random

MIB = 1 << 20


def make_file(path, size):
    with open(path, "wb") as out:
        for _ in range(size // MIB):
            out.write(os.urandom(MIB))


def make_tree(path, files, folders):
    """Log-normal sizes with a mean of about 10 KiB, the same at every run."""
    dice = random.Random(1)
    pool = dice.randbytes(8 * MIB)
    sigma = 1.5
    mu = math.log(10 * 1024) - sigma * sigma / 2
    places = [os.path.join(path, f"{i // 50:02d}", f"{i % 50:02d}") for i in range(folders)]
    for place in places:
        os.makedirs(place)
    total = 0
    for i in range(files):
        size = min(int(dice.lognormvariate(mu, sigma)), len(pool) // 2)
        start = dice.randrange(len(pool) - size)
        with open(os.path.join(places[i % folders], f"file-{i:05d}.dat"), "wb") as out:
            out.write(pool[start : start + size])
        total += size
    return total
