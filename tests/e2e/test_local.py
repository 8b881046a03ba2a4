"""Repositories on this machine's disk: git itself serves them, so it can read whatever git can, and refuses what git
refuses."""

import errno
import os
import pathlib
import random
import shutil
import signal
import time
import unittest

from support import trees
from support.case import EndToEnd, allow_seconds
from support.processes import eventually, processes_of, slowness, state
from support.repositories import Entry


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


class Local(EndToEnd):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"

    def fetch(self, url, **options):
        return self.program("fetch", "--cache", self.cache, url, **options)

    def upload_packs(self):
        return [pid for pid in processes_of(self.folder) if b"upload-pack" in command_of(pid)]

    def check(self, path, version):
        """Both git and we get the version, and the trees are the same."""
        cloned = self.folder / "cloned"
        self.call("git", "clone", "-q", "--depth", "1", "--branch", version, f"file://{path}", cloned)
        shutil.rmtree(cloned / ".git")
        mount = self.mount(f"{path}?tag={version}")
        trees.compare(self, mount / f"{pathlib.Path(path).name}/{version}", cloned)
        (cached,) = mount.cache.glob(f"**/{pathlib.Path(path).name.removesuffix('.git')}.git/objects")
        self.call("git", "--git-dir", cached.parent, "fsck", "--strict")
        shutil.rmtree(cloned)
        mount.unmount()


class Kinds(Local):
    """What a path may lead to."""

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.repository.annotate("annotated", "1")

    def clone(self, name, *options):
        path = self.folder / name
        self.call("git", "clone", "-q", *options, self.repository.file_url, path)
        return path

    def test_bare_and_not(self):
        self.check(self.repository.path, "annotated")
        self.check(self.clone("work"), "2")

    def test_a_path_without_its_suffix(self):
        self.clone("short.git", "--bare")
        self.assertIn("annotated", self.program("versions", self.folder / "short").stdout)

    def test_a_worktree(self):
        work = self.clone("work")
        self.call("git", "-C", work, "worktree", "add", "-q", self.folder / "tree", "1")
        self.check(self.folder / "tree", "2")

    def test_alternates(self):
        borrower = self.folder / "borrower"
        self.call("git", "clone", "-q", "--shared", self.repository.path, borrower)
        self.assertEqual([], list(borrower.glob(".git/objects/??")) + list(borrower.rglob("*.pack")))
        self.check(borrower, "annotated")

    def test_a_shallow_clone(self):
        shallow = self.clone("shallow", "--depth", "1")
        self.check(shallow, "2")

    def test_a_partial_clone(self):
        """What is in it is served; what is not is neither fetched by the way nor called damaged."""
        partial = self.clone("partial", "--filter=blob:none")
        self.check(partial, "master")
        done = self.fetch(f"{partial}?tag=1", check=False)
        self.assertEqual(3, done.returncode)
        self.assertIn("partial clone", done.stdout + done.stderr)

    def test_a_commit_in_the_history(self):
        commit = self.repository.id_of("1")
        self.repository.delete_tag("1")
        self.repository.delete_tag("annotated")
        for spelling in (commit, commit[:9]):
            self.fetch(f"{spelling}@{self.repository.path}")

    def test_variables_for_another_repository(self):
        env = {**self.env, "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_OBJECT_DIRECTORY": "/nowhere"}
        self.fetch(f"{self.repository.path}?tag=1", env=env)

    def test_what_is_no_repository(self):
        (self.folder / "empty").mkdir()
        done = self.program("versions", self.folder / "empty", check=False)
        self.assertEqual(3, done.returncode)
        self.assertIn("is not a git repository", done.stderr)

    def test_without_git(self):
        (self.folder / "bin").mkdir()
        done = self.fetch(f"{self.repository.path}?tag=1", check=False,
                          env={**self.env, "PATH": str(self.folder / "bin")})
        self.assertEqual(3, done.returncode)
        self.assertIn("is git installed?", done.stdout + done.stderr)

    test_without_git.with_sanitizers = False  # ThreadSanitizer makes a fork of vfork, whose child cannot say why it did not start


class Hostile(Local):
    """Paths that someone else prepared."""

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a folder of somebody else's")
    def test_nobody_borrows_our_eyes(self):
        """A folder of another user, whose .git points into a repository that only we can read."""
        secret = self.make_start_point("secret", tags=["hidden"])
        secret.path.chmod(0o700)
        lent = self.folder / "lent"
        lent.mkdir()
        (lent / ".git").write_text(f"gitdir: {secret.path}\n")
        for path in (lent, lent / ".git"):
            os.chown(path, 65534, 65534)
        self.git_configure("safe.directory", "/nowhere")
        done = self.program("versions", lent, check=False)
        self.assertEqual(3, done.returncode)
        self.assertIn("safe.directory", done.stderr)
        self.assertNotIn("hidden", done.stdout)
        mount = self.mount(f"{lent}?tag=hidden")
        self.assert_errno(errno.EACCES, os.listdir, mount / "lent/hidden")
        self.assertIn("another user", mount.version("lent", "hidden")["error"])

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a folder of somebody else's")
    def test_safe_directory_allows_it(self):
        repository = self.make_start_point(tags=["1"])
        self.call("chown", "-R", "65534:65534", repository.path)
        self.git_configure("safe.directory", repository.path)
        self.fetch(f"{repository.path}?tag=1")

    def hanging(self):
        repository = self.make_start_point(tags=["1"])
        (repository.path / "packed-refs").unlink(missing_ok=True)
        os.mkfifo(repository.path / "packed-refs")
        return repository

    def test_a_fifo_instead_of_a_file(self):
        repository = self.hanging()
        begun = time.monotonic()
        done = self.program("versions", repository.path, check=False,
                            env={**self.env, "GIT_HTTP_LOW_SPEED_TIME": "2"})
        self.assertLess(time.monotonic() - begun, 10 * slowness())
        self.assertEqual(3, done.returncode)
        self.assertIn("for 2 seconds", done.stderr)
        self.assertEqual([], self.upload_packs())

    def test_the_child_goes_with_the_worker(self):
        repository = self.hanging()
        mount = self.mount(f"{repository.path}?tag=1", options="timeout=50")
        self.start("ls", mount / "python-unittest/1", stderr=-3, stdout=-3)
        child = eventually(self.upload_packs, 10, "git upload-pack")[0]
        parent = int(pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        eventually(lambda: state(child) in (None, "Z"), 10, "the end of git upload-pack")

    def test_a_bomb(self):
        """Ten folders that each hold the next ten times: ten thousand million files, a hundred of them different."""
        repository = self.make_repository("bomb")
        tree = repository.git("hash-object", "-w", "--stdin", input="boom\n").strip()
        mode, kind = "100644", "blob"
        for _ in range(10):
            lines = "".join(f"{mode} {kind} {tree}\td{number}\n" for number in range(10))
            tree = repository.git("mktree", input=lines).strip()
            mode, kind = "040000", "tree"
        commit = repository.git("commit-tree", "-m", "boom", tree).strip()
        repository.git("update-ref", "refs/tags/1", commit)
        begun = time.monotonic()
        mount = self.mount(f"{repository.path}?tag=1")
        self.assertEqual(10, len(os.listdir(mount / "bomb/1/d0/d9/d1")))
        self.assertLess(time.monotonic() - begun, 10 * slowness())


class Large(Local):
    with_sanitizers = False  # it is about time

    @allow_seconds(300)
    def test_a_large_file_takes_no_longer_than_git_clone(self):
        repository = self.make_repository("large")
        repository.commit({"large": Entry("100644", random.Random(1).randbytes(30_000_000))}, tag="1")
        ours, gits = [], []
        for number in range(3):
            begun = time.monotonic()
            self.program("fetch", "--cache", self.folder / f"cache{number}", f"{repository.path}?tag=1")
            ours.append(time.monotonic() - begun)
            begun = time.monotonic()
            self.call("git", "clone", "-q", "--depth", "1", "--branch", "1", repository.file_url,
                      self.folder / f"clone{number}")
            gits.append(time.monotonic() - begun)
        print(f"figures: a file of 30 MB: fetch {min(ours):.2f} s, git clone {min(gits):.2f} s")
        self.assertLess(min(ours), 1.5 * min(gits))
