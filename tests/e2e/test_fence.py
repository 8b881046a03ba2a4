"""What a worker may not do: a process beside it starts programs for it, and it is fenced."""

import errno
import os
import pathlib
import signal

from support.case import EndToEnd
from support.processes import eventually, processes_of, state


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Fence(EndToEnd):
    def launcher(self, mount, not_this=None):
        """The id of the launcher of the mount's worker."""
        def find():
            return [pid for pid in mount.processes() if name_of(pid) == "sp-launcher" and pid != not_this]
        (pid,) = eventually(find, 20, "a launcher")
        return pid

    def descriptors(self, pid):
        return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


class Launcher(Fence):
    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2", "3"])

    def test_it_holds_nothing_but_its_socket(self):
        mount = self.mount(self.repository.path)
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        open_ = self.descriptors(self.launcher(mount))
        self.assertEqual({0, 1, 2, 3}, set(open_), open_)
        self.assertEqual({"/dev/null"}, {open_[fd] for fd in (0, 1, 2)})
        self.assertTrue(open_[3].startswith("socket:"), open_)

    def test_what_it_has_started_is_its_own_and_reaped(self):
        mount = self.mount(self.repository.path)
        for tag in ("1", "2", "3"):
            self.assertIn("manifest.json", os.listdir(mount / f"python-unittest/{tag}"))
        launcher = self.launcher(mount)
        children = pathlib.Path(f"/proc/{launcher}/task/{launcher}/children")
        zombies = lambda: [pid for pid in children.read_text().split() if state(pid) == "Z"]
        eventually(lambda: not zombies(), 20, "the end of git's zombies")

    def test_when_it_dies_there_is_another(self):
        mount = self.mount(self.repository.path)
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        first = self.launcher(mount)
        os.kill(first, signal.SIGKILL)
        # Who needs it first may be told so; the next worker has another.
        def read():
            try:
                return os.listdir(mount / "python-unittest/2")
            except OSError as failure:
                self.assertEqual(errno.EIO, failure.errno)
                return None
        self.assertIn("manifest.json", eventually(read, 20, "another launcher"))
        self.assertNotEqual(first, self.launcher(mount, not_this=first))
        self.assertEqual(0, mount.status()["restarts"])

    def test_it_goes_with_its_worker_and_takes_all_along(self):
        pid_file, ssh = self.folder / "ssh.pid", self.folder / "ssh"
        # It heeds neither the end of its input nor who its parent is.
        ssh.write_text(f"#!/bin/sh\necho $$ > {pid_file}\nwhile :; do sleep 1; done\n")
        ssh.chmod(0o755)
        self.git_configure("core.sshCommand", str(ssh))
        mount = self.mount("ssh://127.0.0.1/nowhere?tag=1", options="timeout=50")
        self.start("ls", mount / "nowhere/1", stderr=-3)
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text().strip(), 20, "ssh"))
        launcher = self.launcher(mount)
        os.kill(mount.status()["pid"], signal.SIGKILL)
        for process in (launcher, pid):
            eventually(lambda: state(process) in (None, "Z"), 20, "the end of what the worker had")
