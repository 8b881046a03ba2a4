"""Docker's containers beside the service."""

import json
import os
import pathlib
import shutil
import subprocess

from base import VERSION, WithService, eventually, mounted, resends
from support.processes import PROJECT

PARENT = pathlib.Path("/srv/mounts")
POINT = PARENT / "start-points"
BIND = f"type=bind,src={PARENT},dst=/mounts,readonly,bind-propagation=rslave"
ITSELF = f"type=bind,src={POINT},dst=/itself,readonly,bind-propagation=rslave"
# Where containers count. `docker logs` would take seconds of an emulated processor each time.
COUNTS = pathlib.Path("/srv/counts")


class WithDocker(WithService):
    deadline = 120

    @classmethod
    def setUpClass(cls):
        """The engine, and an image with nothing but busybox."""
        subprocess.run(["systemctl", "start", "docker"], check=True)
        root = pathlib.Path("/var/tmp/image")
        shutil.rmtree(root, ignore_errors=True)
        for name in ("bin", "tmp", "mounts", "etc"):
            (root / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"], check=True)
        subprocess.run(f"tar -C {root} -c . | docker import - busybox >/dev/null", shell=True, check=True)
        shutil.rmtree(root)

    def setUp(self):
        super().setUp()
        PARENT.mkdir(exist_ok=True)
        pathlib.Path("/etc/default/startpointfs").write_text(f"MOUNTPOINT={POINT}\n")
        self.addCleanup(self.remove)

    def remove(self):
        names = self.call("docker", "ps", "-aq").stdout.split()
        if names:
            self.call("docker", "rm", "-f", *names)
        self.call("docker", "volume", "rm", "-f", "startpointfs-cache")

    def docker(self, name, *command, options=(), binds=(BIND,), image="busybox"):
        """Starts a container."""
        for bind in binds:
            options = [*options, "--mount", bind]
        self.call("docker", "run", "-d", "--name", name, "--network", "none", *options, image, *command)

    def inside(self, name, *command, **options):
        return self.call("docker", "exec", name, *command, **options)

    def read_always(self, name, path, **options):
        """A container that reads a file again and again, and counts."""
        COUNTS.mkdir(exist_ok=True)
        (COUNTS / name).unlink(missing_ok=True)
        self.docker(name, "sh", "-c", f"n=0; f=0; while :; do if cat {path} >/dev/null 2>&1; then n=$((n + 1)); else f=$((f + 1)); fi; "
                    f"echo $n $f >>/counts/{name}; sleep 0.1; done", options=["--mount", f"type=bind,src={COUNTS},dst=/counts"], **options)
        self.assert_goes_on(name)

    def reads(self, name):
        """How often it has read, and failed."""
        read, failed = (COUNTS / name).read_text().rpartition("\n")[0].splitlines()[-1].split()
        return int(read), int(failed)

    def assert_goes_on(self, name):
        eventually(lambda: (COUNTS / name).exists() and (COUNTS / name).stat().st_size > 0, 30, f"{name} begins")
        before = self.reads(name)[0]
        eventually(lambda: self.reads(name)[0] > before, 30, f"{name} reads on")

    def status(self):
        return json.loads((POINT / ".startpointfs/status.json").read_text())


class Docker(WithDocker):
    def test_started_before_and_after_the_mount(self):
        self.docker("before", "sleep", "1000")
        self.assertNotEqual(0, self.inside("before", "ls", f"/mounts/start-points/{VERSION}", check=False).returncode)
        self.systemctl("start", "startpointfs")
        self.docker("after", "sleep", "1000")
        for name in ("before", "after"):
            self.assertIn("manifest.json", self.inside(name, "ls", f"/mounts/start-points/{VERSION}").stdout)

    def test_nobody_read_only(self):
        self.systemctl("start", "startpointfs")
        done = self.call("docker", "run", "--rm", "--network", "none", "--user", "65534", "--read-only", "--cap-drop", "ALL",
                         "--mount", BIND, "busybox", "cat", f"/mounts/start-points/{VERSION}/manifest.json")
        self.assertIn("python_unittest", done.stdout)

    def test_restart_kill_and_upgrade_are_not_noticed(self):
        """By containers with the folder above bound, and by those with the mount itself."""
        self.systemctl("start", "startpointfs")
        self.read_always("parent", f"/mounts/start-points/{VERSION}/hiker.py")
        self.read_always("itself", f"/itself/{VERSION}/hiker.py", binds=[ITSELF])
        for what in ("restart", "kill", "dpkg -i"):
            before = self.shown("MainPID")
            failed = {name: self.reads(name)[1] for name in ("parent", "itself")}
            if what == "restart":
                self.systemctl("restart", "startpointfs")
            elif what == "kill":
                os.kill(int(before), 9)
            else:
                self.call("dpkg", "-i", "--force-confold", PROJECT / "startpointfs.deb")
            if what != "dpkg -i":
                self.wait_for_active(before)
            for name, number in failed.items():
                with self.subTest(f"{what}, {name}"):
                    self.assert_goes_on(name)
                    # Without RESEND a killed process takes along the call that it had read.
                    self.assertLessEqual(self.reads(name)[1] - number, 1 if what == "kill" and not resends() else 0)
        self.assertEqual(2, self.status()["takeovers"])
        # What nobody has read before.
        self.assertIn("manifest.json", self.inside("itself", "ls", "/itself/python-unittest/3.7.4-18").stdout)
        for name in failed:
            self.figures.append("{} times read, {} failed: the container with {}".format(*self.reads(name), name))

    def test_a_new_mount_shows_through_the_folder_above_only(self):
        self.systemctl("start", "startpointfs")
        self.docker("both", "sleep", "1000", binds=[BIND, ITSELF])
        self.systemctl("stop", "startpointfs")
        self.assertEqual([], mounted(POINT))
        self.systemctl("start", "startpointfs")
        self.assertIn("manifest.json", self.inside("both", "ls", f"/mounts/start-points/{VERSION}").stdout)
        done = self.inside("both", "ls", f"/itself/{VERSION}", check=False)
        self.assertNotEqual(0, done.returncode, "who binds the mount itself keeps the old one, as the documents say")
