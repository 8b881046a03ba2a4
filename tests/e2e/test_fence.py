"""What a worker may not do: a process beside it starts programs for it, and it is fenced."""

import ctypes
import errno
import os
import pathlib
import re
import signal
import unittest

from support import servers
from support.case import EndToEnd
from support.processes import eventually, preloadable, processes_of, state


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


def has_landlock():
    """Whether this kernel has it, in a version that we need: asked of the kernel, not of the program."""
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_size_t(0), version) >= 2


class Fence(EndToEnd):
    def launcher(self, mount, not_this=None):
        """The id of the launcher of the mount's worker."""
        def find():
            return [pid for pid in mount.processes() if name_of(pid) == "sp-launcher" and pid != not_this]
        (pid,) = eventually(find, 20, "a launcher")
        return pid

    def descriptors(self, pid):
        return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


class Escape(Fence):
    """Somebody has taken the worker over."""

    with_sanitizers = False  # they need more than a worker does

    REFUSED = {
        # by Landlock
        **dict.fromkeys(("read", "write", "shadow", "etc", "home", "root", "create", "mkdir", "remove", "truncate",
                         "through-symlink", "parent"), {"EACCES"}),
        **dict.fromkeys(("move-out", "link-in"), {"EACCES", "EXDEV"}),
        "signal": {"EPERM"},
        # by seccomp
        **dict.fromkeys(("execve", "execveat", "ptrace", "mount", "umount", "fsopen", "move_mount", "setns", "unshare",
                         "chroot", "bpf", "keyctl", "io_uring", "process_vm", "userfaultfd", "perf", "module",
                         "reboot", "setuid", "netlink", "fork", "clone"), {"EPERM"}),
        "clone3": {"ENOSYS"},
    }
    ALLOWED = {"write-cache", "symlink", "inet", "capabilities", "done"}

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1"])
        self.secret = self.folder / "home" / "secret"
        self.secret.write_text("secret")
        self.file = self.folder / "escape"
        self.file.write_text("")
        library = preloadable("escape", self.folder, self.env)
        self.escape = {"LD_PRELOAD": str(library), "ESCAPE": str(self.file), "ESCAPE_SECRET": str(self.secret),
                       "ESCAPE_CACHE": str(self.folder / "cache")}

    def results(self):
        eventually(lambda: "done" in self.file.read_text(), 20, "the tries")
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return {name: errno.errorcode.get(int(number), number) for name, number in lines}

    def scoped(self):
        """Whether this kernel can keep a process from signals to others (Landlock's version 6)."""
        return tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 12)

    def test_it_can_do_nothing_but_its_work(self):
        mount = self.mount(self.repository.path, env=self.escape)
        self.file.write_text("go")
        self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
        found = self.results()
        self.assertEqual(set(self.REFUSED) | self.ALLOWED, set(found))
        allowed = {name: said for name, said in found.items() if name in self.ALLOWED and said != "0"}
        self.assertEqual({}, allowed)
        # Of this machine, what it lacks is left out.
        wanted = dict(self.REFUSED)
        if not has_landlock():
            self.skipTest("this kernel has no Landlock")
        if not self.scoped():
            del wanted["signal"]
        if not os.path.exists("/etc/shadow"):
            del wanted["shadow"]
        wrong = {name: found[name] for name in wanted if found[name] not in wanted[name]}
        self.assertEqual({}, wrong)
        self.assertEqual("secret", self.secret.read_text())
        # It was no crash, and it goes on.
        self.assertEqual(0, mount.status()["restarts"])

    def test_kerberos_tickets_are_its_user_s(self):
        for name in (f"FILE:{self.secret}", str(self.secret), f"DIR:{self.secret.parent}"):
            with self.subTest(name):
                self.file.write_text("")
                mount = self.mount(self.repository.path, env={**self.escape, "KRB5CCNAME": name})
                if not has_landlock():
                    self.skipTest("this kernel has no Landlock")
                self.file.write_text("go")
                self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
                found = self.results()
                self.assertEqual(("0", "0"), (found["read"], found["write"]))
                self.assertEqual("EACCES", found["etc"])
                self.assertEqual("EACCES", found["root"])
                mount.unmount()

    def test_tickets_of_other_kinds_open_no_file(self):
        mount = self.mount(self.repository.path, env={**self.escape, "KRB5CCNAME": f"KEYRING:{self.secret}"})
        self.file.write_text("go")
        self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
        self.assertIn(self.results()["read"], self.REFUSED["read"])

    def test_without_the_fence_these_tries_succeed(self):
        # Else the test above would see nothing.
        self.file.write_text("go")
        self.program("fetch", "--quiet", "--cache", self.folder / "cache", self.repository.path,
                     env={**self.env, **self.escape})
        found = self.results()
        for name in ("read", "write", "etc", "home", "create", "remove", "netlink", "fork", "signal"):
            self.assertEqual("0", found[name], name)
        for name in ("execve", "mount", "setns", "io_uring", "ptrace"):
            self.assertNotEqual("EPERM", found[name], name)


class Changes(Fence):
    """What is new, or another file than it was, is for the next worker: readers notice nothing."""

    def setUp(self):
        super().setUp()
        self.first, self.second = self.make_start_point("first", ["1"]), self.make_start_point("second", ["1"])

    def list_with(self, path, *repositories):
        new = path.with_name(path.name + ".new")
        new.write_text("".join(f"{repository.path}?tag=1\n" for repository in repositories))
        new.rename(path)

    def test_a_list_beside_much_else(self):
        # A home is not opened to the worker for the sake of a list in it.
        path = self.folder / "home" / "some.list"
        self.list_with(path, self.first)
        mount = self.mount(path)
        self.assertEqual(["first"], os.listdir(mount.path))
        worker = mount.status()["pid"]
        self.list_with(path, self.first, self.second)
        eventually(lambda: set(os.listdir(mount.path)) == {"first", "second"}, 30, "the new list")
        self.assertIn("manifest.json", os.listdir(mount / "second/1"))
        status = mount.status()
        self.assertNotEqual(worker, status["pid"])
        self.assertEqual(0, status["restarts"])

    test_a_list_beside_much_else.with_sanitizers = False  # their reports need the folder that the list is in

    def test_a_list_in_a_folder_of_its_own(self):
        folder = self.folder / "lists"
        folder.mkdir()
        self.list_with(folder / "some.list", self.first)
        mount = self.mount(folder / "some.list")
        worker = mount.status()["pid"]
        self.list_with(folder / "some.list", self.first, self.second)
        eventually(lambda: set(os.listdir(mount.path)) == {"first", "second"}, 30, "the new list")
        self.assertEqual(worker, mount.status()["pid"])

    def test_a_password_that_comes_later(self):
        server = self.serve(servers.Nginx, self.repositories)
        netrc = self.folder / "home" / ".netrc"
        mount = self.mount(server.url("first", "private") + "?tag=1")
        self.assert_errno(errno.EACCES, os.listdir, mount / "first/1")
        netrc.write_text(f"machine 127.0.0.1 login {server.USER} password {server.PASSWORD}\n")
        netrc.chmod(0o600)

        def read():
            try:
                return os.listdir(mount / "first/1")
            except PermissionError:
                return None
        self.assertIn("manifest.json", eventually(read, 30, "the password's effect"))

    def test_a_folder_that_links_to_a_list_elsewhere(self):
        folder, elsewhere = self.folder / "lists", self.folder / "elsewhere"
        folder.mkdir()
        elsewhere.mkdir()
        self.list_with(folder / "one.list", self.first)
        mount = self.mount(folder)
        self.assertEqual({"first"}, set(os.listdir(mount.path)))
        self.list_with(elsewhere / "two", self.second)
        (folder / "two").symlink_to(elsewhere / "two")
        (folder / "two").rename(folder / "two.list")
        eventually(lambda: set(os.listdir(mount.path)) == {"first", "second"}, 30, "the list that is linked to")


NOBODY = 65534


@unittest.skipUnless(os.geteuid() == 0, "only root becomes somebody else")
class User(Fence):
    """user=: root mounts, and what strangers talk to runs as somebody else."""

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.folder.chmod(0o755)
        self.cache = self.folder / "cache"

    def users(self, mount):
        """The users of the mount's processes: {name of the process: its uids}."""
        supervisor = mount.status()["supervisor_pid"]
        return {name_of(pid): set(re.search(r"^Uid:(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]
                                  .split()) for pid in mount.processes() if pid != supervisor}

    def test_by_name_and_by_number(self):
        for user in ("nobody", f"{NOBODY}:{NOBODY}"):
            with self.subTest(user):
                mount = self.mount(self.repository.path, options=f"user={user}", cache=self.folder / user)
                self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
                users = self.users(mount)
                self.assertEqual({"startpointfs", "sp-launcher"}, set(users))
                self.assertEqual({str(NOBODY)}, set.union(*users.values()))
                # All that is in the cache is theirs.
                owners = {path.lstat().st_uid for path in [mount.cache, *mount.cache.rglob("*")]}
                self.assertEqual({NOBODY}, owners)
                # The next worker is theirs, too, and ends with its supervisor.
                os.kill(mount.status()["pid"], signal.SIGKILL)
                self.assertIn(":2", (mount / "python-unittest/2/manifest.json").read_text())
                self.assertEqual({str(NOBODY)}, set.union(*self.users(mount).values()))
                processes = mount.processes()
                os.kill(mount.status()["supervisor_pid"], signal.SIGKILL)
                eventually(lambda: all(state(pid) in (None, "Z") for pid in processes), 20, "the end of all")

    def test_the_cache_must_be_theirs(self):
        self.program("fetch", "--quiet", "--cache", self.cache, self.repository.path)
        point = self.folder / "point"
        point.mkdir()
        said = self.refused("mount", "--cache", self.cache, "-o", "user=nobody", self.repository.path, point, status=1)
        self.assertIn("belongs to another user: `chown -R nobody", said)
        self.call("chown", "-R", "nobody", self.cache)
        mount = self.mount(self.repository.path, options="user=nobody,offline")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/master"))

    def test_others_read_the_mount_and_not_the_cache(self):
        mount = self.mount(self.repository.path, options="user=nobody,allow_other")
        as_daemon = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "cat"]
        manifest = mount / "python-unittest/1/manifest.json"
        self.assertIn(":1", self.call(*as_daemon, manifest).stdout)
        # Also what is fetched for them, by a worker that is new.
        os.kill(mount.status()["pid"], signal.SIGKILL)
        self.assertIn(":2", self.call(*as_daemon, mount / "python-unittest/2/manifest.json").stdout)
        self.assertEqual({str(NOBODY)}, set.union(*self.users(mount).values()))
        said = self.start(*as_daemon, *mount.cache.glob("*/**/HEAD"), stdout=-1, stderr=-1, text=True)
        self.assertIn("Permission denied", said.communicate()[1])

    def test_a_cache_for_others_by_option(self):
        mode = lambda: self.cache.stat().st_mode & 0o7777
        mount = self.mount(self.repository.path, options="user=nobody,cache_mode=0755")
        self.assertIn(":1", (mount / "python-unittest/1/manifest.json").read_text())
        self.assertEqual((0o755, NOBODY), (mode(), self.cache.stat().st_uid))
        heads = list(self.cache.glob("*/**/HEAD"))
        self.assertIn("ref:", self.call("setpriv", "--reuid=1", "--regid=1", "--clear-groups", "cat", *heads).stdout)
        mount.unmount()
        # Without it, what is there stays; `fetch` has it, too, for images.
        self.mount(self.repository.path, options="user=nobody").unmount()
        self.assertEqual(0o755, mode())
        self.program("fetch", "--quiet", "--cache-mode", "0700", "--cache", self.cache, self.repository.path)
        self.assertEqual(0o700, mode())
        said = self.refused("fetch", "--cache-mode", "0711", "--cache", self.cache, self.repository.path, status=2)
        self.assertIn("cache_mode=0700 or cache_mode=0755", said)

    def test_who_is_not_there(self):
        point = self.folder / "point"
        point.mkdir()
        for user, words in (("no-such-user", "no such user"), ("4000000000", "give UID:GID"),
                            ("nobody:no-such-group", "no such group")):
            said = self.refused("mount", "--cache", self.cache, "-o", f"user={user}", self.repository.path, point,
                                status=1)
            self.assertIn(words, said)


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
