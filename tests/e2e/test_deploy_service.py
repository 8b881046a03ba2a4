"""The systemd service, as far as it goes without systemd as process 1: the unit file, sd_notify,
the journal's log lines, and the system calls that the unit allows."""

import os
import re
import shutil
import signal
import socket
import subprocess

from support.case import EndToEnd
from support.processes import PROGRAM, PROJECT, eventually

UNIT = PROJECT / "mount-scripts" / "systemd" / "startpointfs.service"


class Notify(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.list = self.folder / "languages.list"
        self.write_list("1")
        self.messages = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.messages.settimeout(20)
        self.addCleanup(self.messages.close)

    def write_list(self, tag, name="first"):
        (self.folder / "new").write_text(f"{self.repository.path}?tag={tag}&name={name}\n")
        os.rename(self.folder / "new", self.list)

    def listen(self, address):
        self.messages.bind(address.replace("@", "\0"))
        return {"NOTIFY_SOCKET": address}

    def next_message(self):
        return dict(line.split("=", 1) for line in self.messages.recv(4096).decode().splitlines())

    def expect(self, key):
        """The next message that has the key; others in between say READY again."""
        for _ in range(20):
            message = self.next_message()
            if key in message:
                return message
            self.assertIn("READY", message)
        return self.fail(f"no {key}")

    def test_ready_reload_and_stop(self):
        for address in (f"{self.folder}/notify", f"@startpointfs-test-{os.getpid()}"):
            with self.subTest(address):
                self.messages = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.messages.settimeout(20)
                self.addCleanup(self.messages.close)
                self.write_list("1")
                # Ready means: whoever reads now, reads.
                mount = self.mount(self.list, foreground=True, env=self.listen(address),
                                   name=f"mount-{len(self.mounts)}")
                self.assertEqual("1", self.expect("READY")["READY"])
                self.assertEqual(["first"], os.listdir(mount))

                self.write_list("2", "second")
                mount.foreground.send_signal(signal.SIGHUP)
                message = self.expect("RELOADING")
                self.assertGreater(int(message["MONOTONIC_USEC"]), 0)
                self.expect("READY")
                eventually(lambda mount=mount: os.listdir(mount) == ["second"], 10, "the new list")

                mount.foreground.send_signal(signal.SIGTERM)
                self.expect("STOPPING")
                self.assertEqual(0, mount.expect_end())

    def test_a_reload_is_over_when_the_new_list_shows(self):
        """Without inotify's help: the list lies where it can't be seen changing."""
        real = self.folder / "real"
        real.mkdir()
        shutil.move(self.list, real / "languages.list")
        self.list.symlink_to("middle/languages.list")
        (self.folder / "middle").symlink_to("real")
        mount = self.mount(self.list, foreground=True, env=self.listen(f"{self.folder}/notify"))
        self.expect("READY")
        other = self.folder / "other"
        other.mkdir()
        (other / "languages.list").write_text(f"{self.repository.path}?tag=2&name=second\n")
        (self.folder / "tmp").symlink_to("other")
        os.rename(self.folder / "tmp", self.folder / "middle")
        mount.foreground.send_signal(signal.SIGHUP)
        self.expect("RELOADING")
        self.expect("READY")
        # The kernel keeps the listing of a folder that can change for a second.
        eventually(lambda: os.listdir(mount) == ["second"], 3, "the new list")

    def test_the_socket_is_not_for_the_worker(self):
        mount = self.mount(self.list, foreground=True, env=self.listen(f"{self.folder}/notify"))
        self.expect("READY")
        worker = mount.status()["pid"]
        with open(f"/proc/{worker}/environ", "rb") as environment:
            self.assertNotIn(b"NOTIFY_SOCKET", environment.read())

    def test_a_worker_that_is_replaced_does_not_confuse_the_manager(self):
        mount = self.mount(self.list, foreground=True, env=self.listen(f"{self.folder}/notify"))
        self.expect("READY")
        os.kill(mount.status()["pid"], signal.SIGKILL)
        self.expect("READY")
        self.assertEqual(["first"], os.listdir(mount))
        mount.foreground.send_signal(signal.SIGTERM)
        self.expect("STOPPING")
        mount.expect_end()

    def test_a_manager_that_is_gone_stops_nothing(self):
        mount = self.mount(self.list, foreground=True,
                           env={"NOTIFY_SOCKET": f"{self.folder}/nobody"})
        self.assertEqual(["first"], os.listdir(mount))

    def test_the_journal_gets_priorities_and_no_times(self):
        (self.folder / "mnt").mkdir()
        self.env["JOURNAL_STREAM"] = "8:12345"
        with open(self.folder / "stderr.log", "wb") as log:
            self.start(PROGRAM, "mount", "-f", "--cache", self.folder / "cache", self.list,
                       self.folder / "mnt", stderr=log)
        eventually((self.folder / "mnt/first/1/manifest.json").exists, 10, "the mount")
        with self.assertRaises(OSError):
            os.listdir(self.folder / "mnt/first/none")
        self.call("umount", self.folder / "mnt")
        lines = (self.folder / "stderr.log").read_text().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^<[3-7]>[^0-9]")
        self.assertTrue([line for line in lines if re.search(r"first/1.* in [0-9.]+ s, \d+ bytes|"
                                                             r"in [0-9.]+ s, \d+ bytes", line)])


class Unit(EndToEnd):
    with_sanitizers = False

    def installed(self):
        """The unit, with the program where it says."""
        self.call("make", "--no-print-directory", f"B={PROGRAM.parent}", "install",
                  f"PREFIX={self.folder}/usr", cwd=PROJECT)
        return self.folder / "usr/lib/systemd/system/startpointfs.service"

    def test_systemd_accepts_it(self):
        done = self.call("systemd-analyze", "verify", "--man=no", self.installed())
        self.assertEqual("", done.stdout + done.stderr)

    def test_systemd_finds_it_not_exposed(self):
        done = self.call("systemd-analyze", "security", "--offline=true", "--no-pager",
                         "--threshold=50", self.installed())
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertLess(float(exposure[1]), 5.0)

    def setting(self, name):
        return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text())

    def test_the_mount_outlives_a_restart_and_not_a_stop(self):
        """As far as the file goes; test_outlive plays systemd's side."""
        self.assertIn("holder=systemd", self.setting("ExecStart")[0])
        self.assertGreaterEqual(int(self.setting("FileDescriptorStoreMax")[0]), 4)
        self.assertEqual([["on-failure"], ["mixed"], ["SIGUSR2"], ["100ms"]],
                         [self.setting(name) for name in ("Restart", "KillMode", "KillSignal", "RestartSec")])
        # Its shell, with systemctl's answers: a restart leaves the mount, a crash too, a stop takes it away.
        stop = re.search(r"(?ms)^ExecStop=\+/bin/sh -c '(.*?)'$", UNIT.read_text())[1].replace("\\\n", "")
        stop = stop.replace("@BINDIR@/", "").replace("%n", "startpointfs.service")
        tools = self.folder / "tools"
        tools.mkdir()
        for name, text in (("systemctl", 'echo "$JOBS"'), ("startpointfs", 'echo "$@"')):
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        for pid, jobs, said in (("5", "7 startpointfs.service restart running", ""), ("", "", ""),
                                ("5", "7 startpointfs.service stop running", "umount --lazy /x"),
                                ("5", "", "umount --lazy /x")):
            environment = {**self.env, "PATH": f"{tools}:{self.env['PATH']}", "MAINPID": pid, "JOBS": jobs,
                           "MOUNTPOINT": "/x"}
            self.assertEqual(said, self.call("sh", "-c", stop, env=environment).stdout.strip(), (pid, jobs))

    def test_a_unit_that_has_failed_keeps_the_mount_where_systemd_can(self):
        """The setting is for systemd 254 and later; in the unit itself an older one would warn of it."""
        self.assertEqual([], self.setting("FileDescriptorStorePreserve"))
        self.installed()
        generator = self.folder / "usr/lib/systemd/system-generators/startpointfs-generator"
        tools = self.folder / "tools"
        tools.mkdir()
        for number, (version, is_set) in enumerate((
                ("systemd 252 (252.39-1~deb12u2)", False), ("systemd 253.5 (253.5-1)", False), ("systemd 254~rc1 (254~rc1-1)", True),
                ("systemd 254 (254)", True), ("systemd 257 (257.13-1~deb13u1)", True), ("", False))):
            (tools / "systemctl").write_text(f"#!/bin/sh\necho '{version}'\necho +PAM 300\n")
            (tools / "systemctl").chmod(0o755)
            made = self.folder / f"generator-{number}"
            made.mkdir()
            done = self.call(generator, made, made, made, env={**self.env, "PATH": f"{tools}:{self.env['PATH']}"})
            self.assertEqual("", done.stdout + done.stderr)
            self.assertEqual({made / "startpointfs.service.d/preserve.conf": "[Service]\nFileDescriptorStorePreserve=yes\n"} if is_set
                             else {}, {path: path.read_text() for path in made.rglob("*.*") if path.is_file()}, version)

    def test_a_dead_mount_at_the_start_is_no_line_in_the_log(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path)
        os.kill(mount.status()["supervisor_pid"], signal.SIGKILL)
        eventually(lambda: not mount.processes(), 10, "its end")
        first = re.search(r"(?m)^ExecStartPre=/bin/sh -c '(.*)'$", UNIT.read_text())[1]
        for point in (mount.path, self.folder / "new/folder"):
            done = self.call("sh", "-c", first, env={**self.env, "MOUNTPOINT": str(point)})
            self.assertEqual("", done.stdout + done.stderr)
        self.assertTrue((self.folder / "new/folder").is_dir())
        mount.again()

    def test_systemd_makes_the_cache_for_its_owner_alone(self):
        self.assertEqual(["0700"], self.setting("CacheDirectoryMode"))

    def test_it_needs_no_mount_namespace(self):
        """Each of these would hide the mount from the host."""
        text = UNIT.read_text()
        for setting in ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "DynamicUser",
                        "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "PrivateMounts",
                        "ProtectKernel", "ProtectControlGroups", "ProtectProc", "ProcSubset",
                        "MountFlags", "RootDirectory", "BindPaths"):
            self.assertNotRegex(text, rf"(?m)^{setting}\w*=")

    def allowed_calls(self):
        text = UNIT.read_text()
        groups = re.search(r"(?m)^SystemCallFilter=(.*)$", text)[1].split()
        shown = self.call("systemd-analyze", "--no-pager", "syscall-filter").stdout
        sets, name = {}, None
        for line in shown.splitlines():
            if line.startswith("@"):
                name = line.strip()
                sets[name] = []
            elif name and line.startswith(" ") and not line.strip().startswith("#"):
                sets[name].append(line.strip())

        def expand(member):
            if not member.startswith("@"):
                return {member}
            return set().union(*(expand(one) for one in sets[member]))
        return set().union(*(expand(group) for group in groups))

    def test_it_allows_the_system_calls_that_are_made(self):
        repository = self.make_start_point()
        point = self.folder / "mnt"
        point.mkdir()
        # The worker becomes another program's child and is traced like one.
        tracer = self.start("strace", "-f", "-qq", "-e", "signal=none", "-e", "abbrev=all", "-o",
                            self.folder / "trace", PROGRAM, "mount", "-f", "--cache",
                            self.folder / "cache", f"{repository.path}?tag=3.7.4-19", point,
                            stderr=subprocess.DEVNULL)
        eventually((point / "python-unittest/3.7.4-19/manifest.json").exists, 30, "the mount")
        self.program("status", point)
        self.call("umount", point)
        tracer.wait(20)
        made = set(re.findall(r"(?m)^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]",
                              (self.folder / "trace").read_text(errors="replace")))
        self.assertIn("openat", made)
        self.assertEqual(set(), made - self.allowed_calls() - {"exited", "resumed"})
