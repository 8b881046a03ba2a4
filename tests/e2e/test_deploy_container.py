"""Containers: a mount of the host that shows inside, and a mount that is made inside."""

import json
import os
import shutil
import signal

from support.case import EndToEnd
from support.container import Container, shared
from support.processes import PROGRAM, PROJECT, eventually
from support.servers import GitDaemon

SCRIPTS = PROJECT / "mount-scripts" / "containers"
MANIFEST = "/start-points/python-unittest/3.7.4-19/manifest.json"


class OnTheHost(EndToEnd):
    """(a) Bound into containers, read-only, with propagation."""

    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point()
        self.list = self.folder / "languages.list"
        self.list.write_text(f"{self.repository.path}?tag=3.7.4-19\n")
        self.shared = shared(self, "shared")
        self.point = self.shared / "start-points"
        self.point.mkdir()

    def mount_on_host(self, **environment):
        self.call(SCRIPTS / "host-mount", self.point, self.list, env={
            **self.env, "STARTPOINTFS": str(PROGRAM),
            "OPTIONS": f"cache={self.folder}/cache,log_file={self.folder}/mount.log", **environment})

    def unmount(self):
        self.program("umount", self.point)

    def container(self, *command, name="reader"):
        return Container(self, name, *(command or ("sleep", "1000")),
                         binds=[(self.point, "/start-points", "rbind", "ro", "rslave")]).start()

    def reads(self, container):
        return "3.7.4-19" in container.call("cat", MANIFEST, check=False).stdout

    def test_a_container_that_starts_first_sees_the_mount_come_go_and_come_again(self):
        container = self.container()
        self.assertEqual("", container.call("ls", "/start-points").stdout)
        for _ in range(2):
            self.mount_on_host()
            self.assertTrue(self.reads(container))
            self.assertEqual("python-unittest", container.call("ls", "/start-points").stdout.strip())
            self.assertNotEqual(0, container.call("touch", "/start-points/x", check=False).returncode)
            self.unmount()
            self.assertEqual("", container.call("ls", "/start-points").stdout)

    def status(self):
        return json.loads(self.program("status", "--json", self.point).stdout)

    def next_worker(self, supervisor, old):
        found = self.call("pgrep", "-P", str(supervisor), check=False).stdout.split()
        return next((int(pid) for pid in found if int(pid) != old), None)

    def test_the_daemon_is_killed_and_a_container_goes_on_reading(self):
        self.mount_on_host()
        container = self.container(
            "sh", "-c", f"while cat {MANIFEST} >/dev/null; do :; done; echo failed; sleep 1000")
        status = self.status()
        worker = status["pid"]
        for _ in range(3):
            os.kill(worker, signal.SIGKILL)
            worker = eventually(
                lambda old=worker: self.next_worker(status["supervisor_pid"], old), 10, "a worker")
            self.assertTrue(self.reads(container))
        self.assertEqual("", container.output())
        container.kill("KILL")
        container.wait()
        self.unmount()

    def test_a_dead_mount_is_made_again_for_a_container_that_runs(self):
        # A container that binds the mount point itself keeps the dead mount: it read on only what the
        # kernel had kept, and this test took that for the new mount. Who binds the folder above sees
        # the new one. Nothing is read before that, so that nothing is kept.
        self.mount_on_host()
        container = Container(self, "reader", "sleep", "1000",
                              binds=[(self.shared, "/host", "rbind", "ro", "rslave")]).start()
        seen = "/host/start-points/python-unittest"
        self.assertIn("3.7.4-19", container.call("ls", seen).stdout)
        os.kill(self.status()["supervisor_pid"], signal.SIGKILL)
        # What the kernel has in its memory can still be read; this asks the daemon.
        eventually(lambda: container.call("ls", "-l", "/host/start-points/.startpointfs/status.json",
                                          check=False).returncode != 0, 10, "the death")
        self.mount_on_host()
        eventually(lambda: "3.7.4-19" in container.call("cat", f"{seen}/3.7.4-19/manifest.json",
                                                        check=False).stdout, 10, "the new mount")
        self.unmount()

    def test_a_service_reads_a_set_from_app_repos(self):
        self.mount_on_host()
        commit = self.repository.id_of("3.7.4-19")
        service = Container(self, "service", "sleep", "1000", binds=[
            (self.point / ".startpointfs/sets/languages", "/app/repos", "rbind", "ro")]).start()
        self.assertEqual(["0", "image.type", "shas.txt"],
                         sorted(service.call("ls", "/app/repos").stdout.split()))
        self.assertIn("3.7.4-19", service.call("cat", "/app/repos/0/manifest.json").stdout)
        self.assertEqual("languages", service.call("cat", "/app/repos/image.type").stdout.strip())
        self.assertEqual(f"0 \t {commit} \t {self.repository.path}?tag=3.7.4-19\n",
                         service.call("cat", "/app/repos/shas.txt").stdout)
        service.kill("KILL")
        service.wait()
        self.unmount()


class Inside(EndToEnd):
    """(b) Process 1 of a container of its own."""

    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point()
        os.chmod(self.folder, 0o755)
        self.call("chmod", "-R", "a+rX", self.repositories)
        self.lists = self.folder / "lists"
        self.lists.mkdir()
        # Not by its path: for that the container would need git, and git to trust a repository of the host's root.
        server = self.serve(GitDaemon, self.repositories)
        (self.lists / "languages.list").write_text(f"{server.url('python-unittest')}?tag=3.7.4-19\n")

    def container(self, *arguments, user=0, binds=()):
        return Container(
            self, "own", "startpointfs", "mount", "-f", "-o", "cache=/tmp/cache,allow_other",
            *arguments, "/etc/startpointfs", "/start-points", with_program=True, fuse=True, user=user,
            binds=[(self.lists, "/etc/startpointfs", "bind", "ro"), *binds])

    def check(self, user):
        container = self.container(user=user)
        os.chown(container.root / "start-points", user, user)
        container.start()
        eventually(lambda: "3.7.4-19" in container.call("cat", MANIFEST, check=False).stdout, 20,
                   "the mount: " + container.output())
        self.assertIn("mount", container.call("cat", "/proc/1/cmdline").stdout)
        # An orphan that ends becomes no zombie.
        container.call("sh", "-c", "(sleep 0 & sleep 0 & sleep 0 &) ; :")
        eventually(lambda: " Z " not in container.call("ps", "-o", "pid,stat,comm").stdout, 10,
                   "no zombies")
        container.kill("TERM")
        self.assertEqual(0, container.wait(), container.output())

    def test_as_root(self):
        self.check(user=0)

    def test_as_another_user_through_fusermount3(self):
        self.check(user=1000)

    def test_an_offline_image(self):
        """fetch at build time, -o offline and a cache that can't be written at run time."""
        container = self.container("-o", "cache=/cache,offline,browse=named", binds=[
            (self.folder / "cache", "/cache", "bind", "ro")])
        self.program("fetch", "--quiet", "--cache", self.folder / "cache", self.lists)
        shutil.move(self.repository.path, self.folder / "away")
        container.start()
        eventually(lambda: "3.7.4-19" in container.call("cat", MANIFEST, check=False).stdout, 20,
                   "the mount: " + container.output())
        self.assertEqual("3.7.4-19", container.call(
            "ls", "/start-points/python-unittest").stdout.strip())
        self.assertNotEqual(0, container.call(
            "ls", "/start-points/python-unittest/1.0", check=False).returncode)
        container.kill("TERM")
        self.assertEqual(0, container.wait(), container.output())

    def test_a_mount_that_fails_ends_the_container_with_a_sentence(self):
        container = self.container("-o", "refs_ttl=soon").start()
        self.assertEqual(2, container.wait())
        self.assertIn("refs_ttl", container.output())


class Files(EndToEnd):
    with_sanitizers = False

    def test_the_scripts_are_in_order(self):
        scripts = [SCRIPTS / "host-mount", SCRIPTS / "run-inside", PROJECT / "mount-scripts/example",
                   PROJECT / "mount-scripts/completions/startpointfs.bash"]
        self.call("shellcheck", *scripts)
        for script in scripts[:2]:
            done = self.call(script, check=False)
            self.assertEqual(2, done.returncode)
            self.assertIn("usage: ", done.stderr)

    def test_run_inside_gives_the_engine_what_fuse_needs(self):
        engine = self.folder / "engine"
        engine.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        engine.chmod(0o755)
        (self.folder / "a.list").write_text("x\n")
        shown = self.call(SCRIPTS / "run-inside", self.folder / "a.list", "-d",
                          env={**self.env, "ENGINE": str(engine)}).stdout.splitlines()
        self.assertIn(f"{self.folder}/a.list:/etc/startpointfs/a.list:ro", shown)
        self.assertIn("/dev/fuse", shown)
        self.assertIn("SYS_ADMIN", shown)
        self.assertEqual(["-d", "startpointfs"], shown[-2:])

    def test_the_image_has_no_compiler_and_another_user_than_root(self):
        stages = (SCRIPTS / "Containerfile").read_text().split("\nFROM ")[1:]
        self.assertEqual(2, len(stages))
        self.assertIn("gcc", stages[0])
        self.assertNotIn("gcc", stages[1])
        self.assertNotIn("-dev", stages[1])
        self.assertIn("\nUSER startpointfs\n", stages[1])
