"""Docker's containers beside the service, and those that mount by themselves or serve. Images are made by `docker import`."""

import json
import os
import pathlib
import shutil
import subprocess

from base import VERSION, WithService, eventually, mounted, resends
from support.processes import PROJECT

PARENT = pathlib.Path("/srv/mounts")
POINT = PARENT / "start-points"
CONTAINERS = PROJECT / "mount-scripts/containers"
BIND = f"type=bind,src={PARENT},dst=/mounts,readonly,bind-propagation=rslave"
ITSELF = f"type=bind,src={POINT},dst=/itself,readonly,bind-propagation=rslave"


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
        self.docker(name, "sh", "-c", f"n=0; f=0; while :; do if cat {path} >/dev/null 2>&1; then n=$((n + 1)); else f=$((f + 1)); fi; "
                    "echo $n $f; sleep 0.1; done", **options)
        self.assert_goes_on(name)

    def reads(self, name):
        """How often it has read, and failed."""
        words = self.call("docker", "logs", "--tail", "1", name).stdout.split()
        return int(words[0]), int(words[1])

    def assert_goes_on(self, name):
        eventually(lambda: self.call("docker", "logs", "--tail", "1", name).stdout, 30, f"{name} begins")
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


class Images(WithDocker):
    """An image with the program and its libraries in the place of what Containerfile makes: a build of that takes a mirror of Debian."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = pathlib.Path("/var/tmp/image")
        for name in ("usr/bin", "etc", "tmp", "start-points", "etc/startpointfs", "var/cache/startpointfs/cache",
                     "usr/local/bin", "root"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        programs = ["/usr/bin/startpointfs", "/usr/bin/fusermount3", "/usr/bin/bash", "/usr/bin/install"]
        libraries = subprocess.run(["sh", "-c", f"ldd {' '.join(programs)} | grep -o '/[^ :]*'; ls /lib/*/libnss_*.so.2"],
                                   stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        for path in {os.path.join("/usr", one.removeprefix("/usr").lstrip("/")) for one in programs + libraries}:
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(path, target)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(root / "usr/bin/fusermount3", 0o4755)
        (root / "etc/fuse.conf").write_text("user_allow_other\n")
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nstartpointfs:x:999:999::/var/cache/startpointfs:/bin/sh\n"
                                         "nobody:x:65534:65534::/:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nstartpointfs:x:999:\nnogroup:x:65534:\n")
        os.chmod(root / "tmp", 0o1777)
        subprocess.run(["chown", "-R", "999:999", root / "var/cache/startpointfs", root / "start-points"], check=True)
        subprocess.run(f"tar -C {root} -c . | docker import - programs >/dev/null", shell=True, check=True)
        # How it runs is said by the Containerfile itself.
        lines = [line for line in (CONTAINERS / "Containerfile").read_text().splitlines()
                 if line.split(" ")[0] in ("ENV", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")]
        done = subprocess.run(["docker", "build", "-q", "-t", "startpointfs", "-"], input="\n".join(["FROM programs", *lines]),
                              text=True, env={**os.environ, "DOCKER_BUILDKIT": "0"}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise AssertionError(done.stdout)
        shutil.rmtree(root)

    def test_it_mounts_inside_and_others_see_it(self):
        """`run-inside`, and a volume from which another container has the mount."""
        PARENT.mkdir(exist_ok=True)
        shared = pathlib.Path("/srv/shared")
        shared.mkdir(exist_ok=True)
        self.call("mount", "--bind", shared, shared)
        self.call("mount", "--make-shared", shared)
        self.addCleanup(self.call, "umount", "-R", "-l", shared)
        folder = shared / "start-points"
        folder.mkdir(exist_ok=True)
        os.chown(folder, 999, 999)
        done = self.call(CONTAINERS / "run-inside", "/etc/startpointfs", "-d", "--name", "mounts", "--network", "host",
                         "--mount", f"type=bind,src={shared},dst=/shared,bind-propagation=rshared", "--user", "0",
                         env={**self.env, "ENGINE": "docker"}, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        eventually(lambda: "manifest.json" in self.inside("mounts", "ls", f"/start-points/{VERSION}", check=False).stdout, 30,
                   "the mount inside")
        self.call("docker", "exec", "mounts", "startpointfs", "mount", "-o", "allow_other", "/etc/startpointfs", "/shared/start-points")
        self.docker("sees", "sleep", "1000", binds=[f"type=bind,src={shared},dst=/shared,readonly,bind-propagation=rslave"])
        self.assertIn("manifest.json", self.inside("sees", "ls", f"/shared/start-points/{VERSION}").stdout)

    def test_it_mounts_inside_as_its_own_user(self):
        self.call(CONTAINERS / "run-inside", "/etc/startpointfs", "-d", "--name", "mounts", "--network", "host",
                  env={**self.env, "ENGINE": "docker"})
        eventually(lambda: "manifest.json" in self.inside("mounts", "ls", f"/start-points/{VERSION}", check=False).stdout, 30,
                   "the mount inside")
        self.assertIn("startpointfs", self.inside("mounts", "startpointfs", "status", "/start-points").stdout)

    def test_a_start_point_image_with_compose(self):
        """start-points/Containerfile and compose.yaml, as they are."""
        shutil.copytree(CONTAINERS / "start-points", self.folder / "image")
        (self.folder / "image/languages.list").write_text(self.source() + "\n")
        self.env["DOCKER_BUILDKIT"] = "0"
        self.call("docker", "build", "-q", "--network", "host", "-t", "acme/my-languages", "--build-arg", "LIST=languages.list",
                  "-f", "Containerfile", ".", cwd=self.folder / "image", timeout=120)
        self.call("docker-compose", "-f", "compose.yaml", "up", "-d", "--no-build", cwd=self.folder / "image", timeout=120)
        self.addCleanup(self.call, "docker-compose", "-f", "compose.yaml", "down", cwd=self.folder / "image", timeout=60)
        eventually(lambda: "Python, unittest" in self.ask("names"), 60, "an answer")

    def ask(self, path):
        done = self.call("python3", "-c", "import sys, urllib.request\n"
                         "print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())",
                         f"http://127.0.0.1:4524/{path}", check=False)
        return done.stdout
