"""The measurements of tests/bench/relay, each a function over a star of three machines: what is started, counted, returned."""

import os
import statistics
import subprocess
import time

from lab import Failed, Lab, Place, run, wait_for
from nodes import Node, READY_SECONDS
from pipework import percentile


FIREWALL = """flush ruleset
table inet firewall {
    chain incoming {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        iifname "lo" accept
    }
}
"""


class Star(Lab):
    """A server that both clients can dial, and two clients in networks of their own: the holder, whose firewall drops what comes in
    unasked, and the user. Nothing is forwarded between them."""

    def __init__(self, folder, size):
        super().__init__(folder, size)
        if not self.real:
            raise Failed("this benchmark needs network namespaces")
        self.network = "three network namespaces: two clients, each joined by veth to the server's only"
        holder = self.start(None, ["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own, 5, "the holder's namespace")
        self.server = self.near
        self.user = self.far
        self.holder = Place("10.78.0.2", ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"])
        run("ip", "link", "add", "veth2", "type", "veth", "peer", "name", "veth3", "netns", str(holder.pid))
        for place, device, address in (self.server, "veth2", "10.78.0.1"), (self.holder, "veth3", self.holder.address):
            run(*place.prefix, "ip", "address", "add", address + "/24", "broadcast", "+", "dev", device)
            for each in "lo", device:
                run(*place.prefix, "ip", "link", "set", each, "up")
        for place in self.server, self.holder:
            wait_for(lambda: "tentative" not in self.output(place, ["ip", "address"]), 10, "the IPv6 addresses")
        run(*self.user.prefix, "ip", "route", "add", "default", "via", "10.77.0.1")
        run(*self.holder.prefix, "ip", "route", "add", "default", "via", "10.78.0.1")
        self.connect(False)

    def rules(self, text):
        run(*self.holder.prefix, "nft", "-f", "-", input=text.encode())

    def connect(self, possible):
        """Whether the two clients can reach each other: the server forwards, and the holder lets in who comes."""
        if possible:
            self.rules("flush ruleset\n")
        else:
            self.rules(FIREWALL)
        run(*self.server.prefix, "sh", "-c", f"echo {int(possible)} > /proc/sys/net/ipv4/ip_forward")


LISTEN = ("--listen", "tcp://*:*")  # not ipc: they see the same files, as machines do not


class Trio:
    """A relay and its two clients, who trust each other and the relay; the holder's share `big` and `few` go by the relay."""

    def __init__(self, lab, program, source):
        self.lab = lab
        self.relay = Node(lab, program, lab.server, "hub", "--role", "relay", *LISTEN)
        self.user = Node(lab, program, lab.user, "anna", "--peer", self.relay_at(lab.near.address), *LISTEN)
        self.holder = Node(lab, program, lab.holder, "bob", "--peer", self.relay_at("10.78.0.1"), *LISTEN)
        for node in self.user, self.holder:
            ticket = lab.output(self.relay.place, self.relay.command("invite", "-q")).strip()
            self.joined(node, ticket)
        ids = {node.name: node.call("id")[0]["id"] for node in (self.user, self.holder)}
        lab.output(self.user.place, self.user.command("trust", ids["bob"]))
        lab.output(self.holder.place, self.holder.command("trust", ids["anna"]))
        few = lab.path("few", "a file")
        with open(few, "w") as out:
            out.write("a few bytes\n")
        for path, name in (source, "big"), (os.path.dirname(few), "few"):
            self.holder.call("share", path, "--as", name, "--via", "hub")
        wait_for(self.reachable, READY_SECONDS, "bob to be reached through the hub")

    def relay_at(self, address):
        """The relay's tcp endpoint in one of its two networks."""
        return next(e for e in self.relay_endpoints() if e.startswith(f"tcp://{address}:"))

    def relay_endpoints(self):
        return [word for row in self.relay.call("status") for value in row.values() if isinstance(value, list) for word in value
                if isinstance(word, str)] + [value for row in self.relay.call("status") for value in row.values()
                                             if isinstance(value, str) and value.startswith("tcp://")]

    def joined(self, node, ticket):
        def try_it():
            return subprocess.run(node.place.prefix + node.command("join", ticket), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode == 0
        wait_for(try_it, READY_SECONDS, f"{node.name} to join the relay")

    def reachable(self):
        return subprocess.run(self.user.place.prefix + self.user.command("ls", "bob:few"), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def stop(self):
        for node in self.user, self.holder, self.relay:
            node.stop()


def cpu_seconds(pid):
    """Of a process and its children that have ended."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


# ---- one get


def throughput(lab, program, source, size, rounds, block):
    """{"weft": [(seconds, CPU seconds of the relay)], "socat": ..., "socat, large blocks": ...}, in turn."""
    trio = Trio(lab, program, source)
    found = {"weft": [], "socat": [], f"socat -b {block}": []}
    names = list(found)
    for i in range(rounds):
        for name in names[i % 3:] + names[: i % 3]:
            dest = lab.empty_dest("big", size)
            if name == "weft":
                found[name].append(get_once(lab, trio, dest))
            else:
                found[name].append(socat_once(lab, source, dest, [] if name == "socat" else ["-b", str(block)]))
            got = os.path.join(dest, os.listdir(dest)[0])
            if os.path.getsize(got) != size or (i == 0 and subprocess.run(["cmp", "-s", got, source]).returncode != 0):
                raise Failed(f"{name}: what arrived is not what was sent")
    trio.stop()
    return found


def get_once(lab, trio, dest):
    before = cpu_seconds(trio.relay.process.pid)
    start = time.monotonic()
    rows = trio.user.call("get", "-q", "bob:big", dest)
    seconds = time.monotonic() - start
    route = next(row["route"] for row in rows if "route" in row)
    if route != "relay:hub":
        raise Failed(f"the get went {route}")
    return seconds, cpu_seconds(trio.relay.process.pid) - before


def socat_once(lab, source, dest, options, ports=(9001, 9002)):
    """The holder sends by nc to the one port of a socat at the server, the user takes from the other."""
    relay = lab.start(lab.server, ["socat", *options, *(f"TCP-LISTEN:{port},reuseaddr" for port in ports)])
    lab.listening(relay, ports[0])
    with open(source, "rb") as file, open(os.path.join(dest, "big"), "wb") as out:
        start = time.monotonic()
        sender = lab.start(lab.holder, ["nc", "-N", "10.78.0.1", str(ports[0])], stdin=file)
        lab.listening(relay, ports[1])
        taker = lab.start(lab.user, ["nc", "-d", "10.77.0.1", str(ports[1])], stdout=out)
        if taker.wait(timeout=120) != 0:
            raise Failed("nc failed")
        seconds = time.monotonic() - start
    sender.wait(timeout=10)
    pid, status, usage = os.wait4(relay.pid, 0)
    relay.returncode = status
    return seconds, usage.ru_utime + usage.ru_stime


# ---- listing


def numbers(text):
    return [int(line) for line in text.split()]


def listing(lab, program, load, source, count):
    """Microseconds of `ls bob:few` through the relay, of the same verb's share that is no network (`ls` of our own shares), and of the
    bare network: a datagram to the server and back, from each client."""
    trio = Trio(lab, program, source)
    found = {"ls": timed(lab, load, trio.user, count, "ls", "bob:few"), "hops": []}
    for place, address, port in (lab.user, "10.77.0.1", 9100), (lab.holder, "10.78.0.1", 9101):
        echo = lab.start(lab.server, [load, "echo", address, str(port)], stdout=subprocess.PIPE, text=True)
        echo.stdout.readline()
        found["hops"].append(numbers(lab.output(place, [load, "rtt", address, str(port), str(count)])))
        lab.stop(echo)
    trio.stop()
    return found


def timed(lab, load, node, count, verb, target, pause=2):
    return numbers(lab.output(node.place, [load, "call", node.home, str(count), str(pause), verb, target]))


# ---- many clients


def many(lab, program, load, source, clients, sessions, count):
    """`clients` reserved clients, `sessions` of them with a session in use, and meanwhile `ls` beside a get that saturates the path."""
    trio = Trio(lab, program, source)
    ids = lab.output(lab.server, [load, "ids", str(clients)]).split()
    for node_id in ids:
        lab.output(trio.relay.place, trio.relay.command("trust", node_id))
    crowd = lab.start(lab.user, [load, "clients", trio.relay_at(lab.near.address), trio.relay.call("id")[0]["id"], str(clients)],
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    read_until(crowd, lambda words: words[0] == "reserved" and int(words[1]) == clients)
    before = trio.relay.memory("VmRSS")
    crowd.stdin.write(f"{sessions}\n")
    crowd.stdin.flush()
    read_until(crowd, lambda words: words[0] == "sessions" and int(words[1]) >= 3 * sessions)
    status = next(row for row in trio.relay.call("status") if "relay_sessions" in row)
    after = trio.relay.memory("VmRSS")
    found = {"reserved": status["relay_reservations"], "sessions": status["relay_sessions"], "session_bytes": (after - before) / sessions}
    found["ls_idle"] = timed(lab, load, trio.user, count, "ls", "bob:few")
    busy = lab.start(trio.user.place, ["sh", "-c", f"while {' '.join(trio.user.command('get', '-q', 'bob:big', lab.path('many', ''), '--if-exists', 'overwrite'))};"
                                       f" do rm -rf {lab.path('many', '')}*; done"], stderr=subprocess.DEVNULL)
    wait_for(lambda: next(row for row in trio.relay.call("status") if "relay_bridges" in row)["relay_bridges"] > 0, READY_SECONDS,
             "the get to begin")
    found["ls_busy"] = timed(lab, load, trio.user, count, "ls", "bob:few")
    lab.stop(busy)
    words = read_until(crowd, lambda words: words[0] == "sessions")
    found["failed"] = int(words[3])
    lab.stop(crowd)
    trio.stop()
    return found


def read_until(process, fits, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = process.stdout.readline()
        if not line:
            raise Failed("the clients ended")
        if fits(line.split()):
            return line.split()
    raise Failed("the clients did not get so far")


# ---- moving to a direct link


def upgrades(lab, program, load, source, repeats):
    """Seconds from the moment at which a direct link became possible to the one at which it is used, with a session in use."""
    taken = []
    for _ in range(repeats):
        lab.connect(False)
        trio = Trio(lab, program, source)
        user = lab.start(trio.user.place, [load, "call", trio.user.home, "1000000", "20", "ls", "bob:few"], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        if route_to_bob(trio) != "relay:hub":
            raise Failed(f"bob is reached {route_to_bob(trio)} though that cannot be")
        lab.connect(True)
        start = time.monotonic()
        wait_for(lambda: route_to_bob(trio) == "direct", 20, "the direct link")
        taken.append(time.monotonic() - start)
        if user.poll() is not None:
            raise Failed("listing failed on the way")
        lab.stop(user)
        trio.stop()
    lab.connect(False)
    return taken


def route_to_bob(trio):
    return next((row.get("route") for row in trio.user.call("peers") if row.get("name") == "bob"), None)
