"""weft's own side of the benchmark: nodes as processes, what they fetch, and what they cost."""

import json
import os
import queue
import signal
import statistics
import subprocess
import threading
import time

from lab import Failed, wait_for
from rivals import Tool

BEACON_PORT = "29338"  # the namespaces are our own; on a loopback that others use too, it is not the default one
READY_SECONDS = 20


class Node:
    """A running `weft up` with a home of its own; its events arrive with the time at which they were read."""

    def __init__(self, lab, program, place, name, *options, home=None):
        self.lab, self.program, self.place, self.name = lab, program, place, name
        self.home = home or lab.path("homes", name)
        self.events = queue.Queue()
        self.started = time.monotonic()
        self.process = lab.start(place, self.command("up", "--name", name, "--json", "--beacon-port", BEACON_PORT, *options),
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self.read, daemon=True).start()
        self.wait_event(lambda event: event.get("event") == "ready", "its first line")

    def command(self, *arguments):
        return [self.program, "--home", self.home, *arguments]

    def read(self):
        for line in self.process.stdout:
            self.events.put((time.monotonic(), json.loads(line)))

    def wait_event(self, fits, what):
        """The time of the next event that fits; those before it are dropped."""
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                at, event = self.events.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.name} did not tell within {READY_SECONDS} s: {what}") from None
            if fits(event):
                return at

    def call(self, *arguments):
        """The rows of a verb's JSON."""
        return [json.loads(line) for line in self.lab.output(self.place, self.command(*arguments, "--json")).splitlines()]

    def links(self):
        return sum(1 for peer in self.call("peers") if peer.get("state") == "linked" or peer.get("linked"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def memory(self, field):
        """VmHWM or VmRSS in bytes."""
        with open(f"/proc/{self.process.pid}/status") as rows:
            return next(int(row.split()[1]) * 1024 for row in rows if row.startswith(field + ":"))

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as out:
            out.write("5")

    def switches(self):
        """{thread's number and name: voluntary context switches so far}."""
        counts = {}
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/status") as rows:
                fields = {key: value.strip() for key, _, value in (row.partition(":") for row in rows)}
            counts[f"{task} {fields['Name']}"] = int(fields["voluntary_ctxt_switches"])
        return counts


class Weft(Tool):
    """weft get between two nodes that found each other, from public shares."""

    name = "weft get"

    def __init__(self, lab, program):
        self.lab = lab
        self.sender = Node(lab, program, lab.near, "bob")
        self.receiver = Node(lab, program, lab.far, "anna")
        self.peaks = {}
        for what in self.can:
            self.sender.call("share", lab.source(what) + what, "--public")
        wait_for(lambda: self.receiver.links() > 0, READY_SECONDS, "the two nodes to find each other")

    def fetch(self, what, dest):
        for node in self.sender, self.receiver:
            node.forget_peak()
        seconds = self.lab.timed(self.receiver.place, self.receiver.command("get", "-q", f"bob:{what}", dest))
        for role, node in ("sender", self.sender), ("receiver", self.receiver):
            key = f"{role}, {what}"
            self.peaks[key] = max(self.peaks.get(key, 0), node.memory("VmHWM"))
        return seconds

    def stop(self):
        self.sender.stop()
        self.receiver.stop()


def idle(lab, program, seconds=20):
    """A node with ten linked peers: its resident bytes, and how often a second each of its threads wakes."""
    node = Node(lab, program, lab.near, "idle")
    peers = [Node(lab, program, lab.far, f"peer{i}") for i in range(10)]
    wait_for(lambda: node.links() >= len(peers), READY_SECONDS, "ten linked peers")
    time.sleep(seconds / 2)  # joining has its own traffic; what is measured is the quiet after it
    before = node.switches()
    time.sleep(seconds)
    after = node.switches()
    wakes = {thread: (count - before.get(thread, 0)) / seconds for thread, count in after.items()}
    resident = node.memory("VmRSS")
    for each in [node, *peers]:
        each.stop()
    return {"resident": resident, "wakes_per_second": wakes}


def starts(lab, program, repeats):
    """Seconds from the start of a second node, of a new home, to the first one's telling of it."""
    first = Node(lab, program, lab.near, "first")
    taken = []
    for i in range(repeats):
        name = f"second{i}"
        second = Node(lab, program, lab.far, name)
        taken.append(first.wait_event(lambda event: event.get("name") == name, name) - second.started)
        second.stop()
    first.stop()
    return {"seconds": taken, "median": statistics.median(taken), "max": max(taken)}
