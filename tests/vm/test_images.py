"""Images of the program, with Docker: those that mount by themselves, and those that serve. Their bases are made by `docker import`."""

import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from base import VERSION, eventually
from support.processes import PROJECT
from test_docker import PARENT, WithDocker

CONTAINERS = PROJECT / "mount-scripts/containers"
MIRROR = pathlib.Path("/mirror")
MIRROR_DISK = pathlib.Path("/dev/disk/by-label/mirror")


def build(*arguments):
    """With the builder of every engine; BuildKit may be missing. Its steps are told as they come: they may take minutes."""
    said = []
    with subprocess.Popen(["docker", "build", *arguments], text=True, env={**os.environ, "DOCKER_BUILDKIT": "0"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as engine:
        for line in engine.stdout:
            said.append(line)
            if line.startswith("Step "):
                print(f"     docker build: {line.rstrip()[:100]}", flush=True)
    if engine.returncode != 0:
        raise AssertionError("".join(said[-40:]))


class Images(WithDocker):
    """The image has the program of this machine and its libraries, and what Containerfile says of how it runs. Where Containerfile can be
    built, the same is tried with what is built (below), and not twice."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_image()

    @classmethod
    def make_image(cls):
        if MIRROR_DISK.exists():
            raise unittest.SkipTest("tried with the image of Containerfile itself")
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
        lines = [line for line in (CONTAINERS / "Containerfile").read_text().splitlines()
                 if line.split(" ")[0] in ("ENV", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")]
        shutil.rmtree(root)
        root.mkdir()
        (root / "Dockerfile").write_text("\n".join(["FROM programs", *lines]) + "\n")
        build("-t", "startpointfs", root)
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


class Built(Images):
    """The images of Containerfile and offline.Containerfile, as they are: from a base image that Debian's packages were put into, and that
    installs others from a repository in here."""

    seconds = 0

    @classmethod
    def make_image(cls):
        if not MIRROR_DISK.exists():
            raise unittest.SkipTest("Containerfile is of another Debian")
        MIRROR.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "ro", "LABEL=mirror", MIRROR], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", MIRROR], check=True)
        server = subprocess.Popen(["python3", "-m", "http.server", "8017", "--bind", "127.0.0.1", "--directory", MIRROR / "packages"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.kill)
        eventually(lambda: socket.socket().connect_ex(("127.0.0.1", 8017)) == 0, 60, "the repository's server")
        base = (CONTAINERS / "Containerfile").read_text().partition("\nFROM ")[2].split()[0]
        subprocess.run(["docker", "import", MIRROR / "base.tar", base], check=True, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        # With KVM or without: what is looked at is not how fast it runs.
        build("-t", "startpointfs", "--network", "host", "--build-arg", "CFLAGS=-O0", "-f", CONTAINERS / "Containerfile", PROJECT)
        cls.seconds = time.monotonic() - begun

    def test_it_has_the_program_and_nothing_to_build_it(self):
        def run(*command):
            return self.call("docker", "run", "--rm", "--network", "none", "--entrypoint", "", "startpointfs", *command).stdout

        self.assertEqual(self.call("startpointfs", "--version").stdout.splitlines()[0], run("startpointfs", "--version").splitlines()[0])
        self.assertEqual("", run("sh", "-c", "command -v gcc make || :"))
        size = int(self.call("docker", "image", "inspect", "--format", "{{.Size}}", "startpointfs").stdout)
        self.figures.append(f"docker build of Containerfile: {self.seconds:.0f} s, {size / 1e6:.0f} MB")

    def test_an_image_that_has_all_versions_inside(self):
        lists = self.folder / "lists"
        lists.mkdir()
        (lists / "languages.list").write_text(self.source() + "\n")
        build("-t", "start-points", "--network", "host", "-f", CONTAINERS / "offline.Containerfile", lists)
        self.server.stop()
        self.call("docker", "run", "-d", "--name", "offline", "--network", "none", "--device", "/dev/fuse", "--cap-add", "SYS_ADMIN",
                  "--security-opt", "apparmor=unconfined", "start-points")
        eventually(lambda: "manifest.json" in self.inside("offline", "ls", f"/start-points/{VERSION}", check=False).stdout, 30,
                   "the mount inside")
        self.assertNotEqual(0, self.inside("offline", "ls", "/start-points/python-unittest/3.7.4-18", check=False).returncode)
