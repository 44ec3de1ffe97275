"""The measurements of tests/bench/pipes, each a function over a lab: what is started, what is counted, what is returned."""

import mmap
import os
import random
import signal
import struct
import subprocess
import time

from lab import Failed, wait_for
from nodes import Node, READY_SECONDS

MESSAGE = 256


class Pair:
    """Two nodes that trust each other, one at each place, and pipe_load beside them."""

    def __init__(self, lab, program, load, names=("anna", "bob"), options=()):
        self.lab, self.load = lab, load
        self.nodes = [Node(lab, program, place, name, *options) for place, name in zip((lab.near, lab.far), names)]
        befriend(*self.nodes)

    def stop(self):
        for node in self.nodes:
            node.stop()


def befriend(*nodes):
    """Every two of them trust each other and are linked."""
    for i, node in enumerate(nodes):
        for other in nodes[:i]:
            wait_for(lambda: node.links() > 0 and other.links() > 0, READY_SECONDS, "nodes to find each other")
            ticket = node.lab.output(node.place, node.command("invite", "-q")).strip()
            subprocess.run(other.place.prefix + other.command("join", ticket), check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


def start_load(lab, place, *arguments):
    """A pipe_load that has printed its first line."""
    process = lab.start(place, [str(a) for a in arguments], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline().strip()
    if not first:
        raise Failed(f"{' '.join(map(str, arguments[1:]))} ended at once")
    return process, first


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


# ---- resolving


def resolve(lab, program, load, repeats, at_once=50):
    """Microseconds from question to answer of pipes that the other node has bound, each asked for once, and once more."""
    pair = Pair(lab, program, load)
    asker, holder = pair.nodes
    direct, cached = [], []
    for first in range(0, repeats, at_once):
        held, _ = start_load(lab, holder.place, load, "hold", holder.home, at_once, f"p{first}-")
        for i in range(at_once):
            for into in direct, cached:
                row = next(r for r in asker.call("pipe", "resolve", f"{holder.name}:p{first}-{i}") if "elapsed_us" in r)
                into.append((row["elapsed_us"], row["cached"]))
        lab.stop(held)
    pair.stop()
    return {
        "asked_us": [us for us, from_cache in direct if not from_cache],
        "cached_us": [us for us, from_cache in cached if from_cache],
    }


# ---- messages


def messages(lab, program, load, count, rounds):
    """Messages a second through a reliable pipe between two programs, and between two bare CURVE sockets, in turn."""
    pair = Pair(lab, program, load, options=("--listen", "tcp://*:*"))
    sender, receiver = pair.nodes
    log = lab.path("messages.log")
    reader, _ = start_load(lab, receiver.place, load, "receive", receiver.home, "speed", log, "owned", 0)
    rates = {"weft": [], "bare": []}
    for i in range(rounds):
        for name in ("weft", "bare") if i % 2 == 0 else ("bare", "weft"):
            if name == "weft":
                done = lab.output(sender.place, [load, "send", sender.home, f"{receiver.name}:speed", str(count), str(MESSAGE), "0"])
            else:
                done = bare(lab, load, count)
            rates[name].append(count / float(done))
    heard = Log(log).numbers()
    lab.stop(reader)
    pair.stop()
    if heard != list(range(count)) * rounds:
        raise Failed(f"{len(heard)} of {count * rounds} messages arrived, or not in order")
    return rates


def bare(lab, load, count):
    receiver, key = start_load(lab, lab.far, load, "bare-receive", f"tcp://{lab.far.address}:*", count)
    endpoint = receiver.stdout.readline().strip()
    done = lab.output(lab.near, [load, "bare-send", endpoint, key, str(count), str(MESSAGE)])
    receiver.wait()
    return done


# ---- failing over


class Log:
    """What a pipe_load has received: pairs of (number, time in ns)."""

    def __init__(self, path):
        self.path = path

    def entries(self):
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            (count,) = struct.unpack_from("=Q", view)
            return list(struct.iter_unpack("=QQ", view[8 : 8 + 16 * count]))

    def numbers(self):
        return [number for number, _ in self.entries()]


class Binder:
    """A node and a program on it that has the shared pipe bound."""

    def __init__(self, lab, program, load, name, rank):
        self.lab, self.load, self.rank = lab, load, rank
        self.node = Node(lab, program, lab.far, name)
        self.log = Log(lab.path(f"{name}.log"))

    def bind(self):
        self.reader, _ = start_load(self.lab, self.node.place, self.load, "receive", self.node.home, "work", self.log.path, "shared",
                                    self.rank)

    def signal(self, number, whole):
        os.kill(self.node.process.pid, number)
        if whole:
            os.kill(self.reader.pid, number)


HARM = {
    "node killed": (signal.SIGKILL, False),
    "node and program killed": (signal.SIGKILL, True),
    "node frozen": (signal.SIGSTOP, False),
    "node and program frozen": (signal.SIGSTOP, True),
}


def failover_once(lab, program, load, sender, number, how, count, rate):
    """Two binders; the one that receives is harmed in the middle. (longest silence in s, lost, doubled, out of order)."""
    binders = [Binder(lab, program, load, f"binder{number}{side}", rank) for rank, side in enumerate("ab")]
    befriend(*(binder.node for binder in binders))
    for binder in binders:
        befriend(sender, binder.node)
        binder.bind()
    job = lab.start(sender.place, [load, "send", sender.home, "work", str(count), str(MESSAGE), str(rate)], stdout=subprocess.PIPE)
    victim = binders[0]
    wait_for(lambda: len(victim.log.entries()) > rate * random.uniform(0.3, 0.8), READY_SECONDS, "messages to flow")
    signum, whole = HARM[how]
    victim.signal(signum, whole)
    if job.wait(timeout=60) != 0:
        raise Failed(f"the sender failed ({how})")
    if signum == signal.SIGSTOP:
        victim.signal(signal.SIGCONT, whole)
        time.sleep(1)  # for what it would do wrong now
    logs = [binder.log.entries() for binder in binders]
    for binder in binders:
        lab.stop(binder.reader)
        lab.stop(binder.node.process)
    return judge(logs, count)


def judge(logs, count):
    times = sorted(at for log in logs for _, at in log)
    silence = max(later - earlier for earlier, later in zip(times, times[1:])) / 1e9
    numbers = [number for log in logs for number, _ in log]
    disorder = sum(1 for log in logs for (a, _), (b, _) in zip(log, log[1:]) if b <= a)
    return silence, count - len(set(numbers)), len(numbers) - len(set(numbers)), disorder


def failover(lab, program, load, runs, rate=10000, seconds=3):
    """{how: [what failover_once found]}."""
    found = {how: [] for how in HARM}
    for i in range(runs):
        how = list(HARM)[i % len(HARM)]
        sender = Node(lab, program, lab.near, f"sender{i}")
        found[how].append(failover_once(lab, program, load, sender, i, how, rate * seconds, rate))
        sender.stop()
    return found


# ---- byte streams


def stream(lab, program, load, source, size, rounds):
    """Seconds for a file through `weft pipe connect`, and by `weft get`, in turn."""
    pair = Pair(lab, program, load)
    sender, receiver = pair.nodes
    sender.call("share", source, "--public", "--as", "big")
    taken = {"stream": [], "get": []}
    for i in range(rounds):
        for name in ("stream", "get") if i % 2 == 0 else ("get", "stream"):
            dest = lab.empty_dest("big", size)
            taken[name].append(stream_once(lab, sender, receiver, source, dest) if name == "stream" else
                               lab.timed(receiver.place, receiver.command("get", "-q", f"{sender.name}:big", dest)))
            if i == 0 and os.path.getsize(os.path.join(dest, os.listdir(dest)[0])) != size:
                raise Failed(f"{name}: not all bytes arrived")
    pair.stop()
    return taken


def stream_once(lab, sender, receiver, source, dest):
    with open(os.path.join(dest, "got"), "wb") as out, open(source, "rb") as file:
        listener = lab.start(receiver.place, receiver.command("pipe", "listen", "-q", "bytes"), stdin=subprocess.DEVNULL, stdout=out)
        wait_for(lambda: any(row.get("name") == "bytes" for row in receiver.call("pipe", "ls")), READY_SECONDS, "the listener")
        start = time.monotonic()
        lab.timed(sender.place, sender.command("pipe", "connect", "-q", f"{receiver.name}:bytes"), stdin=file)
        if listener.wait(timeout=60) != 0:
            raise Failed("the listener failed")
        return time.monotonic() - start


# ---- propagate pipes


def spread(lab, program, load, nodes, count):
    """Each of `nodes` nodes hears all of `count` messages once. The copies that each node sent, a message."""
    group = [Node(lab, program, lab.far, f"n{i}") for i in range(nodes)]
    ids = [node.call("id")[0]["id"] for node in group]
    wait_for(lambda: all(node.links() >= min(nodes - 1, 8) for node in group), 60, "the nodes to be linked")
    for node in group:
        for other in ids:
            if other != ids[group.index(node)]:
                node.lab.output(node.place, node.command("trust", other))
    logs = [Log(lab.path(f"spread{i}.log")) for i in range(nodes)]
    for node, log in zip(group, logs):
        start_load(lab, node.place, load, "receive", node.home, "news", log.path, "propagate", 0)
    copies_before = [node.call("status")[0].get("spread_sent", 0) for node in group]
    subprocess.run(group[0].place.prefix + [load, "spread", group[0].home, "news", str(count)], check=True)
    wait_for(lambda: all(len(log.entries()) >= count for log in logs), 30, "everyone to hear all")
    heard = [log.numbers() for log in logs]
    copies = [(node.call("status")[0].get("spread_sent", 0) - before) / count for node, before in zip(group, copies_before)]
    once = all(sorted(numbers) == list(range(count)) for numbers in heard)
    for node in group:
        node.stop()
    return {"once": once, "copies": copies}
