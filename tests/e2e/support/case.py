"""The base of all end-to-end tests."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from . import processes
from .mounts import Mount
from .processes import PROGRAM, run
from .repositories import Repository, start_point
from .servers import Server


processes.default_signals()


def allow_seconds(seconds):
    """Marks a test that may take longer than others."""
    def mark(test):
        test.deadline = seconds
        return test
    return mark


class EndToEnd(unittest.TestCase):
    """Each test has a folder of its own, `self.folder`, and an environment in which neither the
    user's git configuration nor their cache can be seen. What it mounts and starts through this
    class is ended with it; anything that is left then, and any sanitizer's report, fails it.

    tests/run gives each test a process of its own with E2E_FOLDER, prints the *.log in there if it
    fails, and ends it with all that belongs to it when it hangs.
    """

    deadline = 60  # seconds for one test
    maxDiff = None

    def setUp(self):
        self.mounts = []
        self._make_folder()
        self._make_environment()
        # Cleanups run backwards: these are the last three.
        self.addCleanup(signal.alarm, 0)
        self.addCleanup(self._check_reports)
        self.addCleanup(self._check_leftovers)
        signal.signal(signal.SIGALRM, self._late)
        method = getattr(self, self._testMethodName)
        self.deadline = getattr(method, "deadline", self.deadline)
        self.extensions = processes.WHEN_BUSY - 1
        signal.alarm(self.deadline * processes.slowness())

    def _late(self, *_):
        if self.extensions > 0 and processes.is_busy():
            self.extensions -= 1
            signal.alarm(self.deadline * processes.slowness())
            return
        raise processes.Timeout(f"{self.id()} takes longer than {self.deadline} s")

    def _make_folder(self):
        given = os.environ.get("E2E_FOLDER")
        self.folder = pathlib.Path(given or tempfile.mkdtemp(prefix="startpointfs-test-")).resolve()
        if not given:
            self.addCleanup(shutil.rmtree, self.folder, True)

    def _make_environment(self):
        home = self.folder / "home"
        home.mkdir()
        self.git_config = home / "gitconfig"
        self.git_config.write_text(
            "[user]\n\tname = Somebody\n\temail = somebody@example.org\n"
            "[init]\n\tdefaultBranch = master\n[safe]\n\tdirectory = *\n"
            "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
            "[advice]\n\tdetachedHead = false\n[protocol]\n\tversion = 2\n"
            "[gc]\n\tauto = 0\n[core]\n\tfsync = none\n")
        report = self.folder / "sanitizer"
        self.env = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home),
            "E2E_FOLDER": str(self.folder), "TMPDIR": str(self.folder),
            "GIT_CONFIG_GLOBAL": str(self.git_config), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "PYTHONDONTWRITEBYTECODE": "1",
            "ASAN_OPTIONS": f"log_path={report},handle_sigill=1",
            "TSAN_OPTIONS": f"log_path={report},suppressions={processes.PROJECT}/tests/e2e/tsan.supp",
            "LSAN_OPTIONS": "print_suppressions=0",
        }

    def git_configure(self, name, value, *, add=False):
        """A line in the configuration of the user that mounts."""
        self.call("git", "config", "--file", self.git_config, *(["--add"] if add else []), name, value)

    def call(self, *command, **options):
        """Runs a command to its end, in the test's environment; it must succeed unless
        check=False."""
        return run(command, env=options.pop("env", self.env), **options)

    def program(self, *arguments, **options):
        return self.call(PROGRAM, *arguments, **options)

    def refused(self, *arguments, status=2, **options):
        """Runs the program, which must refuse with that exit status; returns its complaint."""
        done = self.program(*arguments, check=False, **options)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        self.assertEqual("", done.stdout)
        self.assertNotEqual("", done.stderr)
        return done.stderr

    def start(self, *command, **options):
        """A process in the background, which ends with the test at the latest."""
        process = subprocess.Popen([os.fspath(part) for part in command], env=options.pop("env", self.env),
                                   stdin=subprocess.DEVNULL, start_new_session=True, **options)

        def end():
            if process.poll() is None:
                processes.stop(process)
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()

        self.addCleanup(end)
        return process

    def serve(self, server_class, *arguments, **options):
        """Starts a server of support.servers, which ends with the test."""
        if issubclass(server_class, Server):
            name = f"{server_class.__name__.lower()}-{len(list(self.folder.iterdir()))}"
            server = server_class(self.folder / name, self.env, *arguments, **options)
        else:
            server = server_class(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def make_repository(self, name="python-unittest", branch="master"):
        """An empty bare repository below self.repositories."""
        return Repository(self.repositories / name, self.env, branch)

    def make_start_point(self, name="python-unittest", tags=("3.7.4-19",)):
        """A repository with a commit and a light tag for each of tags."""
        repository = self.make_repository(name)
        repository.commit_many({tag: start_point(tag) for tag in tags}, message=f"{name} ")
        return repository

    @property
    def repositories(self):
        folder = self.folder / "repositories"
        folder.mkdir(exist_ok=True)
        return folder

    def mount(self, *sources, **options):
        mount = Mount(self, sources, **options)
        self.mounts.append(mount)
        self.addCleanup(mount.close)
        return mount

    def assert_errno(self, code, action, *arguments):
        """action(*arguments) must fail with that errno."""
        with self.assertRaises(OSError) as failure:
            action(*arguments)
        self.assertEqual(errno.errorcode[code], errno.errorcode.get(failure.exception.errno),
                         failure.exception)

    def _check_leftovers(self):
        daemons, points = processes.clear(self.folder)
        self.assertEqual(([], []), (daemons, points), "left behind: daemons, mount points")

    def _check_reports(self):
        for report in sorted(self.folder.glob("sanitizer.*")):
            self.fail(report.read_text(errors="replace"))

