"""A mount of startpointfs: makes it, asks it for its status, ends it, and sees that nothing of it
is left."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

from .processes import PROGRAM, eventually, gone, processes_of, run


class Mount:
    """What `startpointfs mount` makes. Use it through EndToEnd.mount, which also ends it."""

    def __init__(self, test, sources, *, options="", cache=None, arguments=(), name=None,
                 foreground=False, env=None):
        self.test = test
        self.name = name or f"mount{len(test.mounts)}"
        self.path = test.folder / self.name
        if not self.is_mounted():
            self.path.mkdir(exist_ok=True)
        self.cache = pathlib.Path(cache or test.folder / "cache")
        self.log_file = test.folder / f"{self.name}.log"
        self.env = {**test.env, "E2E_MOUNT": self.name, **(env or {})}
        self.foreground = None
        self._status_read = 0.0
        options = ",".join(filter(None, [options, "log=debug", f"log_file={self.log_file}"]))
        command = [PROGRAM, "mount", "--cache", self.cache, "-o", options, *arguments]
        self.command = [*command, *sources, self.path]
        if foreground:
            self._start([*command, "-f", *sources, self.path])
        else:
            self.again()

    def _start(self, command):
        with open(self.test.folder / f"{self.name}.stderr.log", "wb") as log:
            self.foreground = subprocess.Popen([os.fspath(part) for part in command], env=self.env,
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: self.is_mounted() or self.foreground.poll() is not None, 20,
                   "the foreground mount")

    def again(self, **options):
        """As whoever starts the next supervisor does; in the background."""
        return self.test.call(*self.command, env=self.env, **options)

    def __truediv__(self, name):
        return self.path / name

    def __fspath__(self):
        return os.fspath(self.path)

    def is_mounted(self):
        # From the table, not os.path.ismount: that would ask a mount that may hang.
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
            return any(line.split(" ")[1] == os.fspath(self.path) for line in table)

    def processes(self):
        return processes_of(self.test.folder, PROGRAM, self.name)

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return self.log_file.read_text(errors="replace")
        return ""

    def settle(self):
        """Waits until the next status.json is a new one: its text is made at most once a second."""
        age = time.monotonic() - self._status_read
        if age < 1.1:
            time.sleep(1.1 - age)

    def status(self):
        """A status.json made after this call began."""
        self.settle()
        # Around the page cache: what reading it costs is then the same each time.
        file = os.open(self.path / ".startpointfs" / "status.json", os.O_RDONLY | os.O_DIRECT)
        try:
            text = os.read(file, os.fstat(file).st_size + (1 << 20))
        finally:
            os.close(file)
        self._status_read = time.monotonic()
        return json.loads(text)

    def repository(self, name):
        for repository in self.status()["repositories"]:
            if repository["name"] == name:
                return repository
        raise AssertionError(f"status.json has no repository {name}")

    def version(self, repository, name):
        """What status.json says of a version, or None."""
        for version in self.repository(repository)["versions"]:
            if version["name"] == name:
                return version
        return None

    def fetches(self):
        return self.status()["fetches"]

    def requests_during(self, action, right_after=None):
        """The FUSE requests that action() makes: {operation: number}, those that are not 0. What
        reading status.json costs is measured first and taken off. right_after() is called before, and is
        not counted."""
        self.status()
        before = self.status()["requests"]
        after = self.status()["requests"]
        cost = {name: after[name] - before[name] for name in after}
        if right_after:
            self.settle()
            right_after()
        before = self.status()["requests"]
        action()
        after = self.status()["requests"]
        made = {name: after[name] - before[name] - cost[name] for name in after}
        return {name: number for name, number in made.items() if number != 0}

    def unmount(self, how="startpointfs"):
        """Unmounts in one of the ways that people do; all end the daemon."""
        commands = {"startpointfs": [PROGRAM, "umount", self.path],
                    "umount": ["umount", self.path],
                    "fusermount3": ["fusermount3", "-u", self.path]}
        self.test.call(*commands[how], env=self.env)
        self.expect_end()

    def expect_end(self):
        """Waits until the mount's processes have ended, and returns the foreground's exit code."""
        code = self.foreground.wait(20) if self.foreground else None
        known = self.processes()
        # To look for all that there may be costs much more than to look at these.
        eventually(lambda: gone(known) and not self.processes(), 20, f"the end of {self.name}'s processes")
        self.test.assertFalse(self.is_mounted(), self.path)
        return code

    def close(self):
        if self.is_mounted():
            # A test may have left a process in the mount; that must not hide its own failure.
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                run([PROGRAM, "umount", self.path], env=self.env, timeout=20)
        if self.is_mounted():
            run(["umount", "-l", self.path], env=self.env, check=False)
        self.expect_end()
