"""The mount goes on while its worker dies, is replaced, or is upgraded."""

import collections
import ctypes
import errno
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import threading
import time
import unittest

from support import readers, servers
from support.case import EndToEnd
from support.processes import PROGRAM, eventually, state
from support.repositories import _data, start_point, symlink

MS_RDONLY, MS_REMOUNT = 1, 32
SLOWNESS = int(os.environ.get("E2E_SLOWNESS", "1"))


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
                   .rpartition(")")[2].split()[1])
    except OSError:
        return None


def cut_off(nginx):
    """The fetches whose client went away before the answer."""
    return sum("command=fetch" in request["body"] and request["status"] == 499
               for request in nginx.requests())


class Crash(EndToEnd):
    """What the tests below share: who is who, and who is killed."""

    def supervisor(self, mount):
        return mount.status()["supervisor_pid"]

    def children(self, supervisor):
        return [int(pid) for pid in os.listdir("/proc")
                if pid.isdigit() and parent_of(pid) == supervisor and state(pid) not in (None, "Z")]

    def worker(self, supervisor, not_this=None):
        """The id of the worker that is there, or will be."""
        def find():
            found = [pid for pid in self.children(supervisor) if pid != not_this]
            return found[0] if found else None
        return eventually(find, 20 * SLOWNESS, "a worker")

    def kill_worker(self, supervisor, number=signal.SIGKILL):
        pid = self.worker(supervisor)
        os.kill(pid, number)
        eventually(lambda: state(pid) in (None, "Z"), 10, "the worker's death")
        return pid

    def drop(self, mount):
        """Makes the kernel forget what it knows of this mount and nobody holds: a remount does."""
        ctypes.CDLL(None).mount(None, os.fsencode(mount.path), None, MS_REMOUNT | MS_RDONLY, None)

    def rich_files(self, version):
        """A tree with something for each kind of reader."""
        return start_point(version, **{
            **{f"many/entry-{number:03}": f"{version} {number} answer\n" for number in range(120)},
            "deep/a/b/one.txt": f"above {version}\n", "deep/a/b/c/two.txt": f"answer {version}\n",
            "link": symlink("manifest.json"), "empty": "",
            "large": random.Random(version).randbytes(700_000),
        })

    def many_versions(self, name, count):
        """A repository with one small file and many tags, each with another content."""
        repository = self.make_repository(name)
        stream = []
        names = [f"v{number}" for number in range(count)]
        for number, tag in enumerate(names):
            stream.append(b"commit refs/heads/master\ncommitter A <a@b> %d +0000\n" % (1_700_000_000 + number)
                          + _data(b"one") + b"M 644 inline name.txt\n"
                          + _data(b"the answer is %s\n" % tag.encode())
                          + b"reset refs/tags/%s\nfrom refs/heads/master\n\n" % tag.encode())
        repository._import(b"".join(stream))
        return repository, names


class Kills(Crash):
    """Eight readers at once, and two that make it fetch, while the worker is killed."""

    with_sanitizers = False
    deadline = 600
    kills = int(os.environ.get("E2E_KILLS", "20"))

    def start_reader(self, kind, mounted, clones, seed):
        output = open(self.folder / f"{kind}-{seed}.log", "w+", encoding="utf-8")
        self.addCleanup(output.close)
        reader = self.start(sys.executable, readers.__file__, kind, mounted, clones,
                            self.folder / "stop", str(seed), stdout=output, stderr=output)
        return f"{kind}-{seed}", reader, output

    def start_readers(self, mount, seed):
        clones = self.folder / "clones"
        local = mount / "local"
        kinds = [kind for kind in readers.KINDS if kind != "cold"]
        started = [self.start_reader(kind, local, clones, seed + number)
                   for number, kind in enumerate(kinds)]
        return started + [self.start_reader("cold", mount / "far", self.folder / "names", number)
                          for number in range(2)]

    def make_world(self, mount_options="", cold=None):
        repository = self.make_repository("local")
        for number in range(5):
            repository.commit(self.rich_files(f"1.{number}"), tag=f"1.{number}")
            repository.clone(f"1.{number}", self.folder / f"clones/1.{number}")
        _, names = self.many_versions("far", cold or 40 * self.kills)
        (self.folder / "names").write_text("\n".join(names))
        self.nginx = self.serve(servers.Nginx, self.repositories)
        proxy = self.serve(servers.DelayProxy, self.nginx, 120)
        mount = self.mount(f"{repository.path}?tag=1.0", proxy.url("far") + "?tag=v0",
                           options=mount_options, foreground=True)
        # A version's time is known once it is fetched; a tar that begins before that complains.
        for number in range(5):
            os.listdir(mount / f"local/1.{number}")
        self.drop(mount)
        return mount

    def forget_again_and_again(self, mount, over):
        """Else the kernel would soon answer everything itself, and nothing would need a worker."""
        while not over.wait(0.05):
            self.drop(mount)

    def check_readers(self, started):
        for name, reader, output in started:
            if reader.poll() is not None:
                output.seek(0)
                self.fail(f"{name} has ended: {output.read()}")

    def finish(self, started):
        (self.folder / "stop").touch()
        calls, failures = 0, []
        for name, reader, output in started:
            code = reader.wait(60)
            output.seek(0)
            text = output.read()
            if code != 0:
                failures.append(f"{name}: exit status {code}\n{text}")
            else:
                calls += int(text.split()[1])
        return calls, failures

    def disturb(self, mount, action, seed):
        """action(moments) again and again under readers. Returns calls and failures."""
        over = threading.Event()
        forgetting = threading.Thread(target=self.forget_again_and_again, args=(mount, over))
        started = self.start_readers(mount, seed)
        moments = random.Random(seed)
        eventually(lambda: self.check_readers(started) or "fetched far/v3" in mount.log(), 60,
                   "the readers' begin")
        if os.geteuid() == 0:
            forgetting.start()
        try:
            for number in range(self.kills):
                self.check_readers(started)
                action(number, moments, over)
        finally:
            over.set()
            if forgetting.ident:
                forgetting.join()
            calls, failures = self.finish(started)
        return calls, failures

    def kill_at_some_moment(self, mount, supervisor, moments, over, number):
        """Half of them early: also while the worker starts, or is at what the last one left. Half
        of them late, so that the pauses before the next worker don't grow."""
        worker = self.worker(supervisor)
        if moments.random() < 0.5:
            over.wait(moments.uniform(0, 0.3))
        else:
            eventually(lambda: f"serving, worker {worker}" in mount.log(), 20, "a worker that serves")
            over.wait(moments.uniform(0.6, 1.5))
        self.kill_worker(supervisor, number)

    def kill_again_and_again(self, numbers, options=""):
        seed = int(os.environ.get("E2E_SEED") or random.randrange(1 << 30))
        print(f"seed {seed} (E2E_SEED)", file=sys.stderr)
        mount = self.make_world(options)
        supervisor = self.supervisor(mount)
        begun = time.monotonic()
        calls, failures = self.disturb(mount, lambda n, moments, over: self.kill_at_some_moment(
            mount, supervisor, moments, over, numbers[n % len(numbers)]), seed)
        seconds = time.monotonic() - begun
        figures = (f"{self.kills} kills in {seconds:.0f} s, {calls} calls, {len(failures)} failures, "
                   f"{cut_off(self.nginx)} fetches cut off")
        print(f"figures: {figures}", file=sys.stderr)
        self.assertEqual([], failures, figures)
        self.assertTrue(cut_off(self.nginx), "no kill met a fetch")
        return mount

    def check_restarts(self, mount, causes):
        status = mount.status()
        self.assertEqual(self.kills, status["restarts"])
        self.assertIn(status["last_restart_cause"], causes)
        self.assertEqual(self.kills, len(re.findall(r"the worker was killed by signal", mount.log())))

    def test_sigkill(self):
        mount = self.kill_again_and_again([signal.SIGKILL])
        self.check_restarts(mount, ["killed by signal 9 (KILL)"])

    def test_sigsegv_and_sigabrt(self):
        mount = self.kill_again_and_again([signal.SIGSEGV, signal.SIGABRT])
        self.check_restarts(mount, ["killed by signal 11 (SEGV)", "killed by signal 6 (ABRT)"])
