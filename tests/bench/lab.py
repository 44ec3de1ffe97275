"""Where the benchmark runs: two network namespaces joined by veth, data on tmpfs, and processes that end with it.

The script starts itself again inside namespaces of its own (network, mounts, process ids), as root or, where the kernel lets it,
as any user. The far machine is one more network namespace inside. When the script ends, however it ends, the kernel takes
away processes, mounts and devices with the namespaces. Where no namespaces can be made, both ends are this machine's
loopback and the data is in /dev/shm, and the output says so.
"""

import datetime
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

INSIDE = "WEFT_BENCH_INSIDE"
NEAR_ADDRESS, FAR_ADDRESS = "10.77.0.1", "10.77.0.2"


def enter():
    """Returns inside the lab's namespaces, with the folder for all data; the process that called waits for the inner one."""
    if INSIDE in os.environ:
        return os.environ[INSIDE]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="weft-bench-", dir=base) as folder:
        own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.geteuid() != 0:
            own[1:1] = ["--user", "--map-root-user"]
        if subprocess.run(own + ["true"], stderr=subprocess.DEVNULL).returncode != 0:
            own = []
        command = ["setpriv", "--pdeathsig", "KILL", "--"] + own + [sys.executable] + sys.argv
        try:
            code = subprocess.run(command, env={**os.environ, INSIDE: folder}).returncode
        except KeyboardInterrupt:
            code = 130
    sys.exit(code)


def run(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **more)


def wait_for(condition, seconds, what):
    """Polls until condition() is true, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.005)


class Failed(Exception):
    """A command or a wait that did not end well; the text says how."""


class Place:
    """One of the two machines: an address, and how to run a command there."""

    def __init__(self, address, prefix):
        self.address = address
        self.prefix = prefix


class Lab:
    """The two places, the folder, and every process started; a context manager that ends them."""

    def __init__(self, folder, size):
        self.folder = folder
        self.processes = []
        self.real = os.getpid() == 1  # the first process of our own namespaces
        if not self.real:
            self.network = "loopback (namespaces cannot be made here)"
            self.near = self.far = Place("127.0.0.1", [])
            return
        self.network = "two network namespaces joined by veth"
        run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        # In large pages, as far as the kernel has them for tmpfs: else the time for a large file is mostly that of making pages.
        for options in f"size={size},huge=always", f"size={size}":
            if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path("large", "")]).returncode == 0:
                break
        holder = self.start(None, ["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own, 5, "the far namespace")
        self.near = Place(NEAR_ADDRESS, [])
        self.far = Place(FAR_ADDRESS, ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"])
        run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", str(holder.pid))
        for place, device in (self.near, "veth0"), (self.far, "veth1"):
            run(*place.prefix, "ip", "address", "add", place.address + "/24", "broadcast", "+", "dev", device)
            for each in "lo", device:
                run(*place.prefix, "ip", "link", "set", each, "up")
        for place in self.near, self.far:
            wait_for(lambda: "tentative" not in self.output(place, ["ip", "address"]), 10, "the IPv6 addresses")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            self.stop(process)

    def path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def start(self, place, command, **more):
        """Starts a process that ends with the lab at the latest."""
        prefix = place.prefix if place else []
        process = subprocess.Popen(prefix + command, start_new_session=True, **more)
        self.processes.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def output(self, place, command):
        return subprocess.run(place.prefix + command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def timed(self, place, command, **more):
        """Seconds from before the start of a command to its end."""
        start = time.monotonic()
        result = subprocess.run(place.prefix + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
        seconds = time.monotonic() - start
        if result.returncode != 0:
            raise Failed(f"{command[0]} ended with {result.returncode}: {result.stderr.decode(errors='replace').strip()}")
        return seconds

    def listening(self, process, port):
        """Waits until something listens on the TCP port where the process runs."""
        def there():
            if process.poll() is not None:
                raise Failed(f"{process.args[0]} ended at once with {process.returncode}")
            for table in "tcp", "tcp6":
                with open(f"/proc/{process.pid}/net/{table}") as rows:
                    for row in (line.split() for line in rows):
                        if row[1].endswith(f":{port:04X}") and row[3] == "0A":
                            return True
            return False

        wait_for(there, 10, f"port {port}")

    def source(self, what):
        """The folder in which the thing to be moved lies; a large one is on a disk of large pages."""
        return self.path("large" if what == "big" else "small", "source", "")

    def empty_dest(self, what, size):
        """An empty folder on the same disk. Memory for `size` bytes has just been in use there: a virtual machine hands memory that
        it does not use back to its host, and getting it again would cost whoever comes next more than any of the tools does."""
        path = self.path("large" if what == "big" else "small", "dest")
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        warm = os.path.join(path, "warm")
        with open(warm, "wb", buffering=0) as out:
            for _ in range(size >> 20):
                out.write(bytes(1 << 20))
        os.remove(warm)
        return path


def machine():
    """What the figures were measured on."""
    with open("/proc/cpuinfo") as rows:
        models = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "date": datetime.date.today().isoformat(),
    }
