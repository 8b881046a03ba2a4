"""Runs the tests inside the machine: test_*.py beside this folder, each test with a line `PASS name` or `FAIL name: why`.

Classes with `boot = 2` come after a boot of their own, the others before it. At the end the machine powers off.
"""

import os
import pathlib
import subprocess
import sys
import time
import traceback
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
TOP = TESTS.parents[1]
PATTERNS = (TOP / "patterns").read_text().split() or [""]
BOOTED = pathlib.Path("/var/lib/tests-booted")

# A boot takes 5 s with KVM. Without it the machine has what others leave of a processor, now more, now less.
UPTIME = float(pathlib.Path("/proc/uptime").read_text().split()[0])
SLOWNESS = max(4, round(UPTIME / 5))

os.environ.update(E2E_PROGRAM="/usr/bin/startpointfs", E2E_SLOWNESS=str(SLOWNESS), LC_ALL="C.UTF-8", HOME="/root",
                  PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
sys.path[:0] = [str(TESTS), str(TESTS.parent / "e2e"), str(TESTS.parent / "bench")]
sys.dont_write_bytecode = True


def say(text):
    print(text, flush=True)


class Lines(unittest.TestResult):
    """A line a test, with its time; of a failure the whole story below it."""

    begun = time.monotonic()  # for what fails before a class's first test

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def seconds(self):
        return f"{time.monotonic() - self.begun:.1f} s"

    def addSuccess(self, test):
        say(f"PASS {test.id()}  {self.seconds()}")
        for figure in getattr(test, "figures", []):
            say(f"     {figure}")

    def addSkip(self, test, reason):
        say(f"skip {test.id()}: {reason}")

    def addFailure(self, test, err):
        lines = "".join(traceback.format_exception(*err)).rstrip().splitlines()
        say(f"FAIL {test.id()}  {self.seconds()}: {lines[-1]}")
        for line in lines:
            say(f"     | {line}")

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err:
            self.addFailure(subtest, err)


def tests_of(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from tests_of(one)
        else:
            yield one


def allow_for_slowness():
    """The unit's own time limits, too, are for a machine that is not emulated."""
    if SLOWNESS > 4:
        folder = pathlib.Path("/etc/systemd/system/startpointfs.service.d")
        folder.mkdir()
        (folder / "slow.conf").write_text(f"[Service]\nTimeoutStartSec={30 * SLOWNESS}\nTimeoutStopSec={60 * SLOWNESS}\n")


def main():
    found = list(tests_of(unittest.defaultTestLoader.discover(str(TESTS), pattern="test_*.py", top_level_dir=str(TESTS))))
    found = [test for test in found if any(one in test.id() for one in PATTERNS) or isinstance(test, unittest.loader._FailedTest)]
    first = [test for test in found if getattr(test, "boot", 1) == 1]
    second = [test for test in found if getattr(test, "boot", 1) == 2]
    if not BOOTED.exists():
        allow_for_slowness()
        subprocess.run(["dpkg", "-i", TOP / "startpointfs.deb"], check=True, stdout=subprocess.DEVNULL)
        unittest.TestSuite(first).run(Lines())
        if second:
            for kind in {type(test) for test in second}:
                kind.before_the_boot()
            BOOTED.touch()
            # As `systemctl reboot`, which asks logind; there is none here.
            subprocess.run(["systemctl", "start", "--no-block", "--job-mode=replace-irreversibly", "reboot.target"], check=True)
            return
    else:
        unittest.TestSuite(second).run(Lines())
    say("END")
    subprocess.run(["systemctl", "poweroff", "--force"], check=True)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        say("FAIL machine: " + traceback.format_exc())
        subprocess.run(["systemctl", "poweroff", "--force"], check=True)
