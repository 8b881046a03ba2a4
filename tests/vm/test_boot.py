"""A boot with the service enabled."""

import os
import pathlib
import subprocess

from base import LISTS, POINT, VERSION, InMachine, mounted

REPOSITORIES = pathlib.Path("/srv/git")


def call(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


class Boot(InMachine):
    boot = 2

    @staticmethod
    def before_the_boot():
        """One version is in the cache, from a repository that is not there any more after the boot."""
        REPOSITORIES.mkdir(parents=True, exist_ok=True)
        top = REPOSITORIES / "python-unittest"
        call("git", "init", "-q", str(top))
        (top / "manifest.json").write_text("{}\n")
        call("git", "-C", str(top), "add", "-A")
        call("git", "-C", str(top), "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "One")
        call("git", "-C", str(top), "tag", "3.7.4-19")
        LISTS.mkdir(exist_ok=True)
        (LISTS / "languages.list").write_text(f"{top}?tag=3.7.4-19\n")
        call("systemctl", "start", "startpointfs")
        os.listdir(POINT / VERSION)
        call("systemctl", "stop", "startpointfs")
        top.rename(REPOSITORIES / "away")
        call("systemctl", "enable", "--quiet", "startpointfs.service", "docker.service")

    def test_it_is_mounted_and_serves_what_the_cache_has(self):
        self.assertEqual("active", self.call("systemctl", "is-active", "startpointfs").stdout.strip())
        self.assertEqual(1, len(mounted(POINT)))
        self.assertEqual("{}\n", (POINT / VERSION / "manifest.json").read_text())

    def test_it_is_ready_before_docker(self):
        def times(unit):
            text = self.call("systemctl", "show", "-p", "ActiveEnterTimestampMonotonic", "-p",
                             "ExecMainStartTimestampMonotonic", unit).stdout
            return {key: int(value) / 1e6 for key, value in (line.split("=") for line in text.split())}

        ours, docker = times("startpointfs"), times("docker")
        self.figures.append(f"ready {ours['ActiveEnterTimestampMonotonic']:.1f} s after the kernel's start, docker started at "
                            f"{docker['ExecMainStartTimestampMonotonic']:.1f} s")
        self.assertLess(ours["ActiveEnterTimestampMonotonic"], docker["ExecMainStartTimestampMonotonic"])

    def test_the_journal_of_this_boot_has_no_warning(self):
        self.assertEqual("", self.call("journalctl", "-q", "-b", "-o", "cat", "-u", "startpointfs", "-p", "4").stdout)
