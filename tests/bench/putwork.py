"""What is done in the benchmark of `weft put`: the disks, the edits, and each tool with its server on the far place."""

import os
import random
import re
import subprocess
import time

from data import MIB
from lab import Failed, run, wait_for
from nodes import READY_SECONDS, Node

BLOCK_SIZES = (2048, 8192, 131072)  # that rsync is tried with, beside its default, which is 32768 for 1 GiB
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


# ---- edits, each of a file in place: what a person's program would have done to it


def random_bytes(n):
    return random.Random(n).randbytes(n)


def overwrites(path):
    """100 overwrites of 4 KiB, on blocks, and how many bytes are new."""
    dice = random.Random(5)
    with open(path, "r+b") as file:
        blocks = os.path.getsize(path) // 4096
        for i in dice.sample(range(blocks), 100):
            file.seek(i * 4096)
            file.write(dice.randbytes(4096))
    return 100 * 4096


def rewrite(path, pieces):
    """The file as these pieces of what it was: (start, end), or bytes. The old bytes are moved, as by an editor that saves."""
    new = path + ".new"
    with open(path, "rb") as old, open(new, "wb") as out:
        for piece in pieces:
            if isinstance(piece, bytes):
                out.write(piece)
                continue
            old.seek(piece[0])
            left = piece[1] - piece[0]
            while left:
                part = old.read(min(left, 8 * MIB))
                out.write(part)
                left -= len(part)
    os.replace(new, path)


def insert_front(path):
    rewrite(path, [b"x", (0, os.path.getsize(path))])
    return 1


def append(path):
    with open(path, "ab") as file:
        file.write(random_bytes(MIB))
    return MIB


def swap(path):
    size = os.path.getsize(path)
    rewrite(path, [(size // 2, size), (0, size // 2)])
    return 0


def inserts(path):
    """1,000 inserts of 10 bytes."""
    size = os.path.getsize(path)
    dice = random.Random(6)
    pieces, last = [], 0
    for at in sorted(dice.sample(range(size), 1000)):
        pieces += [(last, at), dice.randbytes(10)]
        last = at
    rewrite(path, pieces + [(last, size)])
    return 10000


def cut(path):
    """1 MiB cut out at 70 %."""
    size = os.path.getsize(path)
    at = size * 7 // 10
    rewrite(path, [(0, at), (at + MIB, size)])
    return 0


EDITS = {
    "100 overwrites of 4 KiB": overwrites,
    "1 byte in front": insert_front,
    "1 MiB appended": append,
    "halves swapped": swap,
    "1,000 inserts of 10 bytes": inserts,
    "1 MiB cut out": cut,
}
ALIGNED = ("100 overwrites of 4 KiB", "1 MiB appended", "halves swapped")  # whose old bytes can be shared block by block


# ---- disks


class Disk:
    """Two folders, client and server: on tmpfs of large pages (as for the large file of bench/get), on tmpfs of small ones, or on an
    xfs of its own that can share blocks."""

    def __init__(self, lab, name, bytes_):
        self.lab, self.name = lab, name
        self.path = lab.path(*(["large"] if name == "tmpfs" else []), name, "")
        if name == "xfs":
            image = lab.path("xfs.img")
            with open(image, "wb") as out:
                out.truncate(bytes_)
            run("mkfs.xfs", "-q", "-m", "reflink=1", image)
            run("mount", "-o", "loop", image, self.path)
        for side in "client", "server":
            os.makedirs(os.path.join(self.path, side))

    def file(self, side, name="file"):
        return os.path.join(self.path, side, name)

    def place(self, source, side, name="file"):
        """A file of its own with that content: new blocks, as if it had been there long before."""
        target = self.file(side, name)
        subprocess.run(["rm", "-f", target], check=True)
        run("cp", "--reflink=never", "--sparse=never", source, target)
        run("sync", "-f", target)
        return target

    def warm(self, size):
        """Memory for `size` bytes has just been in use there: see empty_dest of lab.py."""
        path = self.file("server", "warm")
        with open(path, "wb", buffering=0) as out:
            for _ in range(size // MIB + 1):
                out.write(bytes(MIB))
        os.remove(path)


# ---- what a run has cost


class Meter:
    """Bytes on the interface, both ways, and processor time of a server, between two looks."""

    def __init__(self, lab, process):
        self.lab, self.process = lab, process
        self.begin = self.look()

    def look(self):
        with open("/proc/net/dev") as rows:
            counts = next((row.partition(":")[2].split() for row in rows if "veth0:" in row), [0] * 9)
        return int(counts[0]) + int(counts[8]), cpu_of(self.process.pid)

    def spent(self):
        return [now - before for now, before in zip(self.look(), self.begin)]


def cpu_of(pid):
    """Seconds of user and system time of a process and of the children that it has waited for."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in range(11, 15)) / CLOCK_TICKS


def children_cpu():
    times = os.times()
    return times.children_user + times.children_system


def result(seconds, counted, meter=None, **more):
    wire, cpu = meter.spent() if meter else (0, 0)
    return {"seconds": seconds, "bytes": counted, "wire": wire, "cpu": cpu, **more}


# ---- the tools


class Rsync:
    """rsync to a daemon that holds the old file; --fsync, so that it returns when the new one is durable."""

    port = 8730

    def __init__(self, lab, disk):
        self.lab, self.disk = lab, disk
        config = lab.path(f"rsyncd-{disk.name}.conf")
        self.port = Rsync.port = Rsync.port + 1
        with open(config, "w") as out:
            out.write(f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n[box]\npath = {disk.file('server', '')}\nread only = no\n")
        self.server = lab.start(
            lab.far, ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--address={lab.far.address}", f"--port={self.port}"]
        )
        lab.listening(self.server, self.port)

    def put(self, new, old, block):
        target = self.disk.place(old, "server")
        os.utime(target, (1, 1))
        self.disk.warm(os.path.getsize(new))
        own = [f"--block-size={block}"] if block else []
        meter = Meter(self.lab, self.server)
        start = time.monotonic()
        said = self.lab.output(
            self.lab.near,
            ["rsync", "-t", "--no-whole-file", "--fsync", "--stats", *own, new, f"rsync://{self.lab.far.address}:{self.port}/box/file"],
        )
        seconds = time.monotonic() - start
        counted = sum(int(re.search(rf"Total bytes {way}: ([\d,]+)", said)[1].replace(",", "")) for way in ("sent", "received"))
        return result(seconds, counted, meter)


class Rdiff:
    """librsync's rdiff, three commands on one machine: signature, delta, patch. No network: its bytes are those of its files."""

    def __init__(self, lab, disk):
        self.lab, self.disk = lab, disk

    def put(self, new, old):
        target = self.disk.place(old, "server")
        part = {name: self.disk.file("server", name) for name in ("signature", "delta", "built")}
        for path in part.values():
            if os.path.exists(path):
                os.remove(path)
        self.disk.warm(os.path.getsize(new))
        start = time.monotonic()
        run("rdiff", "signature", target, part["signature"])
        run("rdiff", "delta", part["signature"], new, part["delta"])
        run("rdiff", "patch", target, part["delta"], part["built"])
        run("sync", part["built"])
        seconds = time.monotonic() - start
        os.replace(part["built"], target)
        return result(seconds, os.path.getsize(part["signature"]) + os.path.getsize(part["delta"]))


class Weft:
    """weft put from a node that got the old file from the other one before."""

    def __init__(self, lab, program, disk):
        self.lab, self.disk = lab, disk
        self.client = self.node(program, lab.near, "client")
        self.server = self.node(program, lab.far, "server")
        ticket = self.lab.output(lab.far, self.server.command("invite")).strip()
        run(*lab.near.prefix, *self.client.command("join", ticket))
        self.server.call("share", disk.file("server", ""), "--as", "box", "--writable")
        self.peer = self.server.name
        wait_for(lambda: self.client.links() > 0, READY_SECONDS, "the two nodes to find each other")

    def node(self, program, place, side):
        return Node(self.lab, program, place, f"{side}-{self.disk.name}", home=self.disk.file(side, "home"))

    def remembered(self):
        return self.client.call("status")[0].get("base_waiting", 0) == 0

    def prepare(self, old, edit):
        """The client's copy, fetched and edited; and the number of new bytes."""
        self.disk.place(old, "server")
        mine = self.disk.file("client")
        if os.path.exists(mine):
            os.remove(mine)
        self.client.call("get", f"{self.peer}:box/file", self.disk.file("client", ""))
        wait_for(self.remembered, 60, "the base to be made")
        return edit(mine)

    def forget_bytes(self):
        folder = os.path.join(self.client.home, "bases")
        for name in os.listdir(folder):
            if name.endswith(".bytes"):
                os.remove(os.path.join(folder, name))

    def put(self):
        mine = self.disk.file("client")
        self.disk.warm(os.path.getsize(mine))
        meter = Meter(self.lab, self.server.process)
        start = time.monotonic()
        rows = self.client.call("put", mine, f"{self.peer}:box")
        seconds = time.monotonic() - start
        done = next(row for row in rows if row["row"] in ("done", "summary"))
        files = [row for row in rows if row["row"] == "file"]
        found = result(seconds, done["bytes_wire"], meter, sent=done["bytes_sent"], reused=done["bytes_reused"],
                       base=files[0].get("base") if files else None, how=files[0].get("how") if files else None)
        if subprocess.run(["cmp", "-s", mine, self.disk.file("server")]).returncode != 0:
            raise Failed("what stands at the server is not what was put")
        return found

    def stop(self):
        self.client.stop()
        self.server.stop()


def thread_cpu(pid, name):
    """Seconds of processor time of the threads of that name."""
    seconds = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as file:
            head, _, rest = file.read().rpartition(")")
        if head.partition("(")[2] == name:
            seconds += sum(int(field) for field in rest.split()[11:13]) / CLOCK_TICKS
    return seconds


def remembering(lab, program, disk, old, rounds):
    """Gets of a file by a node that remembers what it fetched, and by one that does not, in turn: seconds of each, and for the first
    one how long the index took: by the clock from the end of the get, and in processor time."""
    server = Node(lab, program, lab.far, "holder", home=disk.file("server", "home-holder"))
    getters = {
        "remembers": Node(lab, program, lab.near, "remembers", home=disk.file("client", "home-remembers")),
        "forgets": Node(lab, program, lab.near, "forgets", "--base-cache", "0", home=disk.file("client", "home-forgets")),
    }
    server.call("share", disk.place(old, "server", "whole"), "--as", "whole", "--public")
    found = {name: [] for name in getters}
    indexing = []
    for getter in getters.values():
        wait_for(lambda: getter.links() > 0, READY_SECONDS, "the nodes to find each other")
    for number in range(2 * rounds):
        name = list(getters)[number % 2]
        node = getters[name]
        mine = disk.file("client", "whole")
        if os.path.exists(mine):
            os.remove(mine)
        node.call("status", "--forget")
        disk.warm(os.path.getsize(old))
        before = thread_cpu(node.process.pid, "weft-quiet")
        found[name].append(lab.timed(lab.near, node.command("get", "-q", f"{server.name}:whole", disk.file("client", ""))))
        if name == "remembers":
            start = time.monotonic()
            wait_for(lambda: node.call("status")[0]["base_waiting"] == 0, 60, "the index")
            indexing.append((time.monotonic() - start, thread_cpu(node.process.pid, "weft-quiet") - before))
    for node in [server, *getters.values()]:
        node.stop()
    os.remove(disk.file("server", "whole"))
    return {"seconds": found, "indexing": indexing}


def copy_cpu(disk, old):
    """Processor seconds of `cp` of the same file on the server's disk: as it comes, and without sharing blocks."""
    found = {}
    source = disk.place(old, "server", "cp-source")
    for name, option in ("cp", "--reflink=auto"), ("cp, no reflink", "--reflink=never"):
        target = disk.file("server", "cp-target")
        if os.path.exists(target):
            os.remove(target)
        disk.warm(os.path.getsize(old))
        before = children_cpu()
        run("cp", option, source, target)
        found[name] = children_cpu() - before
        os.remove(target)
    os.remove(source)
    return found
