"""The other tools: each knows how to start its server on the near place and how to fetch to the far one."""

import json
import os
import shutil
import signal
import subprocess
import sys

from lab import run


class Tool:
    can = ("big", "tree")
    delivers = True  # the content stands at the destination afterwards


class Rsyncd(Tool):
    """rsync -W --inplace from an rsync daemon: no encryption, no delta."""

    name = "rsync daemon"
    port = 8730

    def __init__(self, lab):
        self.lab = lab
        config = lab.path("rsyncd.conf")
        with open(config, "w") as out:
            out.write(f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n[data]\npath = {lab.folder}\nread only = yes\n")
        server = lab.start(
            lab.near, ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--address={lab.near.address}", f"--port={self.port}"]
        )
        lab.listening(server, self.port)

    def fetch(self, what, dest):
        source = f"rsync://{self.lab.near.address}:{self.port}/data/{os.path.relpath(self.lab.source(what), self.lab.folder)}/{what}"
        return self.lab.timed(self.lab.far, ["rsync", "-a", "-W", "--inplace", source, dest])


class RsyncSsh(Tool):
    """The same over ssh with AES-128-GCM, to an sshd of our own with keys of its own."""

    name = "rsync over ssh"
    port = 2222
    cipher = "aes128-gcm@openssh.com"

    def __init__(self, lab):
        self.lab = lab
        for key in "host", "user":
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", lab.path("ssh", key))
        config = lab.path("ssh", "sshd_config")
        with open(config, "w") as out:
            out.write(
                f"ListenAddress {lab.near.address}\nPort {self.port}\nHostKey {lab.path('ssh', 'host')}\n"
                f"AuthorizedKeysFile {lab.path('ssh', 'user.pub')}\nStrictModes no\nUsePAM no\nPidFile none\n"
                f"PermitRootLogin yes\nPasswordAuthentication no\nCiphers {self.cipher}\n"
            )
        if lab.real:  # sshd wants this folder; the mount is the namespace's own
            run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
            os.mkdir("/run/sshd", 0o755)
        server = lab.start(lab.near, [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-q", "-f", config])
        lab.listening(server, self.port)

    def fetch(self, what, dest):
        shell = (
            f"ssh -p {self.port} -i {self.lab.path('ssh', 'user')} -c {self.cipher} -o BatchMode=yes -o StrictHostKeyChecking=no"
            " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
        )
        source = f"{self.lab.near.address}:{self.lab.source(what)}{what}"
        return self.lab.timed(self.lab.far, ["rsync", "-a", "-W", "--inplace", "-e", shell, source, dest])


class TarNc(Tool):
    """tar | nc, nc | tar: no encryption, no check, no resume."""

    name = "tar | nc"
    port = 7777

    def __init__(self, lab):
        self.lab = lab

    def fetch(self, what, dest):
        near = self.lab.near
        sender = self.lab.start(
            near, ["sh", "-c", f"tar -C {self.lab.source(what)} -cf - {what} | nc -N -l {near.address} {self.port}"], stderr=subprocess.DEVNULL
        )
        self.lab.listening(sender, self.port)
        seconds = self.lab.timed(self.lab.far, ["sh", "-c", f"nc -d {near.address} {self.port} | tar -C {dest} -xf -"])
        sender.wait()
        return seconds


class Iperf3(Tool):
    """What one TCP stream carries there: the rate only, as the seconds that the bytes would take."""

    name = "iperf3 (rate only)"
    port = 5201
    can = ("big",)
    delivers = False

    def __init__(self, lab):
        self.lab = lab
        lab.listening(lab.start(lab.near, ["iperf3", "-s", "-B", lab.near.address, "-p", str(self.port)], stdout=subprocess.DEVNULL), self.port)

    def fetch(self, what, _dest):
        size = os.path.getsize(self.lab.source(what) + what)
        answer = self.lab.output(
            self.lab.far, ["iperf3", "-J", "-R", "-c", self.lab.near.address, "-p", str(self.port), "-n", str(size)]
        )
        return size * 8 / json.loads(answer)["end"]["sum_received"]["bits_per_second"]
