"""What the tests in the machine share: the service as an administrator has it, a git server, readers that count."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

from support import processes, servers
from support.case import EndToEnd

READER = pathlib.Path(__file__).with_name("reader.py")
POINT = pathlib.Path("/start-points")
DEFAULTS = pathlib.Path("/etc/default/startpointfs")
LISTS = pathlib.Path("/etc/startpointfs")
VERSION = "python-unittest/3.7.4-19"

# What the service says when all is well, or healed; nothing else at this level may be in the journal.
QUIET = 4  # warning


def eventually(condition, seconds, what):
    """processes.eventually, in the time that a slow machine takes."""
    return processes.eventually(condition, seconds * processes.slowness(), what)


def linux():
    """(6, 1) of 6.1.0-57-amd64."""
    text = pathlib.Path("/proc/sys/kernel/osrelease").read_text()
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def resends():
    """Whether this kernel sends again what a killed worker has read (6.9)."""
    return linux() >= (6, 9)


def keeps_for_the_next_start():
    """Whether this systemd keeps the descriptors of a unit that has failed (254)."""
    done = subprocess.run(["systemctl", "--version"], check=True, stdout=subprocess.PIPE, text=True)
    return int(re.search(r"systemd (\d+)", done.stdout)[1]) >= 254


def mounted(point):
    """From the table: looking at the mount point might mount it."""
    return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
            if line.split(" ")[4] == str(point) and " fuse.startpointfs " in line]


class InMachine(EndToEnd):
    """A test with one repository behind `git daemon` or nginx, and lines for whoever reads the results."""

    deadline = 60

    def setUp(self):
        super().setUp()
        self.figures = []
        self.repository = self.make_start_point(tags=["3.7.4-18", "3.7.4-19"])
        self.server = self.serve(servers.GitDaemon, self.repositories)
        self.begun = time.time()

    def source(self, tag="3.7.4-19", name="python-unittest"):
        return f"{self.server.url(name)}?tag={tag}"

    def systemctl(self, *arguments, **options):
        return self.call("systemctl", *arguments, **options)

    def shown(self, name, unit="startpointfs"):
        return self.systemctl("show", "-p", name, "--value", unit).stdout.strip()

    def journal(self, unit="startpointfs", priority=QUIET):
        """What was written since this test began."""
        return self.call("journalctl", "-q", "-o", "cat", "-u", unit, "-p", str(priority),
                         f"--since=@{self.begun:.3f}").stdout.splitlines()


class Readers:
    """Programs that read a version again and again, uncached, and count calls and failures."""

    def __init__(self, test, tree, number=4, prefix=()):
        self.processes = [test.start(*prefix, sys.executable, READER, tree, str(seed), stdout=subprocess.PIPE)
                          for seed in range(number)]
        for process in self.processes:
            process.stdout.readline()  # it has read once

    def finish(self):
        """Ends them; (calls, {what failed: how often}, wrong bytes)."""
        calls, wrong, failed = 0, 0, {}
        for process in self.processes:
            process.terminate()
            done = json.loads(process.communicate(timeout=60 * processes.slowness())[0])
            calls += done["calls"]
            wrong += done["wrong"]
            for what, number in done["failed"].items():
                failed[what] = failed.get(what, 0) + number
        return calls, failed, wrong


class WithService(InMachine):
    """The unit, freshly installed: its own list, an empty cache."""

    def setUp(self):
        super().setUp()
        self.clear()
        self.addCleanup(self.clear)
        self.write_list("3.7.4-19")

    def clear(self):
        self.systemctl("stop", "startpointfs", check=False)
        self.systemctl("reset-failed", "startpointfs", check=False)
        self.systemctl("clean", "--what=fdstore", "startpointfs", check=False)
        DEFAULTS.write_text("")
        for folder in (LISTS, pathlib.Path("/var/cache/startpointfs"), pathlib.Path("/var/lib/startpointfs")):
            shutil.rmtree(folder, ignore_errors=True)
        LISTS.mkdir()

    def write_list(self, *tags, name="languages.list"):
        (LISTS / name).write_text("".join(f"{self.source(tag)}\n" for tag in tags))

    def status(self):
        return json.loads((POINT / ".startpointfs/status.json").read_text())

    def requests(self):
        """After a second: the text is made at most once in that time."""
        time.sleep(1.2)
        return self.status()["requests"]

    def least_requests_of(self, walk):
        """What a walk asked of the worker, {} if nothing; tried three times, since the kernel may drop pages as it likes."""
        for _ in range(3):
            before = self.requests()
            nothing = self.requests()
            walk()
            after = self.requests()
            made = {name: after[name] - 2 * nothing[name] + before[name] for name in after}
            if not any(made.values()):
                return {}
        return {name: number for name, number in made.items() if number}

    def wait_for_active(self, before):
        eventually(lambda: self.shown("MainPID") not in ("0", before) and self.shown("ActiveState") == "active", 60,
                   "the next process")
