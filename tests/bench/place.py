"""Where a row is measured: a folder of its own with mounts, images and servers, that all end with it; and clocks."""

import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import time


from support.case import EndToEnd
from support.processes import PROGRAM, eventually

SHORT = bool(os.environ.get("BENCH_SHORT"))
URGENT = bool(os.environ.get("BENCH_URGENT"))


def short_or(short, full):
    return short if SHORT else full


def rounds(full):
    return int(os.environ.get("BENCH_ROUNDS", short_or(min(3, full), full)))


class urgent:
    """With BENCH_URGENT=1, what is begun in here goes before all other programs: for a machine that is not quiet."""

    def __enter__(self):
        if URGENT:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

    def __exit__(self, *_):
        if URGENT:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def drop_caches():
    """Pages, names and inodes: what is read next comes from the disk."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def process_seconds(pid):
    """Processor time of a process with all threads that it ever had, to the nanosecond (a clock of Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


def children_seconds():
    """Processor time of the programs that have ended here, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median(values):
    return statistics.median(values)


class Mounted:
    """A mount as people make it: with no option that is for tests."""

    def __init__(self, place, sources, cache, options="", prefix=()):
        place.count += 1
        self.place, self.path = place, place.folder / f"mount{place.count}"
        self.path.mkdir()
        options = ",".join(filter(None, [options, f"log_file={self.path}.log", "log=warning"]))
        with urgent():
            place.call(*prefix, PROGRAM, "mount", "--cache", cache, "-o", options, *sources, self.path,
                       timeout=600)
        place.addCleanup(self.close)

    def __truediv__(self, name):
        return self.path / name

    def status(self):
        text = self.place.program("status", "--json", self.path).stdout
        return __import__("json").loads(text)

    @property
    def worker(self):
        return self.status()["pid"]

    def memory(self, *fields):
        """Bytes of the worker, by lines of /proc/PID/status."""
        with open(f"/proc/{self.worker}/status") as file:
            text = file.read()
        return sum(int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[1]) << 10 for field in fields)

    def close(self):
        if os.path.ismount(self.path):
            # Its complaint is that something else on this machine has a copy of the mount in its own namespace.
            self.place.program("umount", self.path, check=False)


class Place(EndToEnd):
    """One for a group of rows. It borrows from the end-to-end tests what makes repositories, servers and mounts."""

    deadline = 3600

    def __init__(self):
        super().__init__("measure")
        self.count = 0

    def measure(self):
        """EndToEnd asks for a method of that name."""

    def __enter__(self):
        self.setUp()
        return self

    def __exit__(self, *_):
        self.doCleanups()
        signal.alarm(0)

    def new(self, name):
        self.count += 1
        return self.folder / f"{name}{self.count}"

    def mounted(self, *sources, cache, options="", prefix=()):
        return Mounted(self, sources, cache, options, prefix)

    def shell(self, command, where):
        """Seconds that a command of the shell takes in a folder; its output goes nowhere."""
        with urgent():
            begun = time.monotonic()
            subprocess.run(["sh", "-c", command], cwd=where, env=self.env, check=True, stdin=-3, stdout=-3)
            return time.monotonic() - begun

    def timed(self, action, *arguments):
        with urgent():
            begun = time.monotonic()
            action(*arguments)
            return time.monotonic() - begun

    def squash(self, folder):
        """An image of a folder, as squashfs stores it with zstd."""
        image = self.new("image")
        self.call("mksquashfs", folder, image, "-comp", "zstd", "-quiet", "-no-progress", timeout=600)
        return image

    def squashed(self, image):
        """That image, mounted anew by squashfuse_ll."""
        point = self.new("squash")
        point.mkdir()
        with urgent():
            self.call("squashfuse_ll", image, point)
        eventually(lambda: os.path.ismount(point), 20, "squashfuse_ll")
        self.addCleanup(self.unsquash, point)
        return point

    def unsquash(self, point):
        if os.path.ismount(point):
            self.call("umount", point)

    def fetch(self, cache, *sources):
        self.program("fetch", "--quiet", "--cache", cache, *sources, timeout=900)
