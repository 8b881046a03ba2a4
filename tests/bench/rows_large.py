"""Rows about one large file, and about very many small ones."""

import os
import subprocess
import threading
import time

import material
from place import Place, drop_caches, median, rounds, short_or

MEGABYTES = short_or(200, 900)


class Peak:
    """The largest memory of a process while it is watched: anonymous, and shared that no file backs."""

    def __init__(self, mount):
        self.mount, self.pid = mount, mount.worker
        self.begun = self.now()
        self.most, self.ends = self.begun, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def now(self):
        with open(f"/proc/{self.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["RssAnon"].split()[0]) << 10

    def watch(self):
        while not self.ends.wait(0.005):
            self.most = max(self.most, self.now())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.grown = self.most - self.begun


def large(report):
    with Place() as place:
        repository, plain = material.large(place, MEGABYTES << 20)
        cache = place.new("cache")
        name = f"{MEGABYTES} MiB file"
        fetch_large(report, place, repository, name)
        place.fetch(cache, f"{repository.path}?tag=1")
        git_dir = next(cache.rglob("objects/pack")).parent.parent
        blob = place.call("git", "--git-dir", git_dir, "rev-parse", "refs/tags/1^{commit}:file").stdout.strip()
        first, whole, git, second, ext4 = [], [], [], [], []
        for _ in range(rounds(3)):
            mount = place.mounted(repository.path, cache=cache, options="offline")
            file = mount / "large/1/file"
            os.stat(file)
            drop_caches()
            begun = time.monotonic()
            with open(file, "rb") as opened:
                opened.read(1)
            first.append(time.monotonic() - begun)
            place.shell("cat file >/dev/null", file.parent)
            whole.append(time.monotonic() - begun)
            second.append(place.shell("cat file >/dev/null", file.parent))
            drop_caches()
            git.append(place.shell(f"git cat-file blob {blob} >/dev/null", git_dir))
            place.shell("cat file >/dev/null", plain.parent)
            ext4.append(place.shell("cat file >/dev/null", plain.parent))
            mount.close()
        report.add(f"{name}: first byte, dropped caches", median(first), median(git), 2.0, beside="git cat-file blob, whole")
        report.add(f"{name}: whole", median(whole), median(git), beside="git cat-file blob")
        report.add(f"{name}: second read", median(second), median(ext4), 1.2, 
                   beside="ext4, large folios")
        read_by_four(report, place, repository, cache, name)


def read_by_four(report, place, repository, cache, name):
    mount = place.mounted(repository.path, cache=cache, options="offline")
    os.stat(mount / "large/1/file")
    with Peak(mount) as peak:
        readers = [subprocess.Popen(["cat", mount / "large/1/file"], stdout=-3) for _ in range(4)]
        assert not any(reader.wait() for reader in readers)
    report.add(f"{name}: the worker's memory, four readers at once", peak.grown, None, 64 << 20, unit="MiB")
    mount.close()


def fetch_large(report, place, repository, name):
    ours, git, memory = [], [], []
    for _ in range(rounds(3)):
        mount = place.mounted(repository.path, cache=place.new("cache"))
        with Peak(mount) as peak:
            ours.append(place.timed(os.listdir, mount / "large/1"))
        memory.append(peak.grown)
        mount.close()
        git.append(place.timed(lambda: place.call("git", "clone", "-q", "--depth", "1", "--branch", "1", repository.file_url,
                                                  place.new("clone"), timeout=600)))
    report.add(f"{name}: fetch from a local path", median(ours), median(git), 1.5, beside="git clone --depth 1 file://")
    report.add(f"{name}: the worker's memory during that fetch", median(memory), None, 64 << 20, unit="MiB")


def many_files(report):
    files, folders = short_or((50_000, 2_500), (1_000_000, 50_000))
    with Place() as place:
        repository = material.many_files(place, files, folders)
        plain = place.new("plain")
        place.call("git", "clone", "-q", "--depth", "1", "--branch", "1", repository.file_url, plain, timeout=1200)
        cache = place.new("cache")
        place.fetch(cache, f"{repository.path}?tag=1")
        first, second, first4, second4, memory = [], [], [], [], []
        for _ in range(rounds(2)):
            mount = place.mounted(repository.path, cache=cache, options="offline")
            os.listdir(mount / "many/1")
            before = mount.memory("RssAnon", "RssShmem")
            drop_caches()
            first.append(place.shell("find . >/dev/null", mount / "many/1"))
            memory.append((mount.memory("RssAnon", "RssShmem") - before) / files)
            second.append(place.shell("find . >/dev/null", mount / "many/1"))
            drop_caches()
            first4.append(place.shell("find . -name .git -prune -o -print >/dev/null", plain))
            second4.append(place.shell("find . -name .git -prune -o -print >/dev/null", plain))
            mount.close()
        name = f"{files:,} files in {folders:,} folders"
        report.add(f"{name}: first find", median(first), median(first4), 1.0, beside="ext4, dropped caches")
        report.add(f"{name}: second find", median(second), median(second4), 1.0, beside="ext4")
        report.add(f"{name}: the worker's memory a file", median(memory), None, 80, unit="B")


ROWS = [large, many_files]
