"""Everything is killed at random moments: a mount's worker and its supervisor, `fetch`, `gc`, `create`, `update`, while
readers compare what they see with the original. After each kill the cache and the sets are whole, nothing is locked,
and the mount works, made anew where its supervisor died. The seed is printed; E2E_SEED repeats it."""

import collections
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import random
import re
import signal
import threading
import time

from support import servers
from support.case import EndToEnd
from support.processes import PROGRAM, eventually, slowness, state
from support.repositories import start_point

KILLS = int(os.environ.get("E2E_ALL_KILLS", "30" if slowness() == 1 else "15"))
REST = 0.02 if KILLS < 100 else 0  # seconds, of a reader between its readings
HANG = 30 * slowness()  # seconds without an answer
TAGS = 30
# What a reader may get while there is no mount, or while the one that it stands in ends.
NO_MOUNT = {errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.EIO, errno.ESTALE, errno.ENODEV}


class Readers:
    """Threads that read versions and compare each byte. `mount_gone` is set while a supervisor's death may show."""

    def __init__(self, path, content, seed):
        self.path, self.content = path, content
        self.calls, self.wrong, self.failed = 0, [], []
        self.over, self.mount_gone = threading.Event(), threading.Event()
        self.busy = collections.defaultdict(lambda: None)  # since when each has waited for an answer
        self.threads = [threading.Thread(target=self.run, args=(number, seed + number), daemon=True)
                        for number in range(6)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, number, seed):
        dice = random.Random(seed)
        while not self.over.is_set():
            name, version = dice.choice(list(self.content))
            self.busy[number] = time.monotonic()
            gone = self.mount_gone.is_set()
            try:
                self.compare(name, version)
            except OSError as failure:
                if not ((gone or self.mount_gone.is_set()) and failure.errno in NO_MOUNT):
                    self.failed.append(f"{time.strftime('%T')} {failure}")
                self.over.wait(0.05)
            self.busy[number] = None
            self.over.wait(REST)

    def compare(self, name, version):
        tree = self.path / name / version
        expected = self.content[name, version]
        for file, text in expected.items():
            found = (tree / file).read_bytes()
            self.calls += 3
            if found != text:
                self.wrong.append(f"{name}/{version}/{file}: {found[:60]} instead of {text[:60]}")
        found = sorted(os.listdir(tree))
        if found != sorted(expected):
            self.wrong.append(f"{name}/{version}: {found}")

    def hanging(self):
        now = time.monotonic()
        return [number for number, since in list(self.busy.items()) if since and now - since > HANG]

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(HANG)
        return sum(thread.is_alive() for thread in self.threads)


class Kills(EndToEnd):
    deadline = 90 + 5 * KILLS

    def setUp(self):
        super().setUp()
        self.cache, self.sets = self.folder / "cache", self.folder / "sets"
        self.env |= {"STARTPOINTFS_SETS": str(self.sets), "STARTPOINTFS_CACHE": str(self.cache)}
        self.seed = int(os.environ.get("E2E_SEED") or random.randrange(1 << 30))
        print(f"seed {self.seed} (E2E_SEED)")
        self.dice = random.Random(self.seed)
        self.counts = collections.Counter()
        self.problems = []
        self.number = 0

    def make_world(self):
        """Three repositories with tags, of which one also has a branch that moves."""
        self.content, self.points = {}, {}
        for name in ("one", "two", "three"):
            repository = self.make_repository(name)
            versions = {f"v{number}": self.files(name, number) for number in range(TAGS)}
            repository.commit_many(versions)
            for tag, files in versions.items():
                self.content[name, tag] = {
                    path: text if isinstance(text, bytes) else getattr(text, "content", None) or text.encode()
                    for path, text in files.items()}
            self.points[name] = repository
        nginx = self.serve(servers.Nginx, self.repositories)
        self.urls = {name: nginx.url(name) for name in self.points}
        self.sources = [f"{self.urls[name]}?tag=v0" for name in self.points]

    def files(self, name, number):
        named = {"manifest.json": json.dumps({
            "display_name": name, "image_name": "acme/python:1", "filename_extension": ".py",
            "visible_filenames": ["hiker.py", "cyber-dojo.sh"]}, indent=2)}
        return start_point(f"{number}", **named, **{"which.txt": f"{name} {number}\n",
                                           "noise": random.Random(f"{name}{number}").randbytes(30_000)})

    # ---- who is killed ----

    def start_verb(self, *arguments):
        output = open(self.folder / "verb.log", "ab")
        self.addCleanup(output.close)
        return self.start(PROGRAM, *arguments, stdout=output, stderr=output)

    def kill_verb(self, *arguments):
        """At a moment that is anywhere in what the verb takes, as far as that is known from before."""
        verb = arguments[0]
        process = self.start_verb(*arguments)
        usual = self.usual.get(verb, 0.3)
        begun = time.monotonic()
        with contextlib.suppress(Exception):
            process.wait(self.dice.uniform(0, usual))
        if process.poll() is None:
            process.kill()
            self.counts[f"{verb} killed"] += 1
        else:
            self.usual[verb] = 0.7 * usual + 0.3 * (time.monotonic() - begun)
        code = process.wait(HANG)
        if code < 0 and code != -signal.SIGKILL:
            self.counts["crash"] += 1
            self.problems.append(f"{' '.join(arguments)} was ended by signal {-code}")
        # What was cut off can be done again: no lock and no half file stands in its way.
        self.counts["done again"] += 1
        begun = time.monotonic()
        done = self.program(*arguments, check=False, timeout=HANG)
        self.usual[verb] = 0.7 * self.usual.get(verb, 0.3) + 0.3 * (time.monotonic() - begun)
        # gc lets a repository be that the mount is at: no lock is left, it is in use.
        if done.returncode != 0 and "being fetched into it just now" not in done.stderr:
            self.problems.append(f"{' '.join(arguments)} after a kill: {done.returncode} {done.stdout}{done.stderr}")

    def some_sources(self):
        """As they stand on a command line, of any repositories and tags."""
        return [f"{self.urls[name]}?tag=v{self.dice.randrange(TAGS)}"
                for name in self.dice.sample(sorted(self.urls), self.dice.randrange(1, 4))]

    def kill_fetch(self):
        self.kill_verb("fetch", *self.some_sources())

    def kill_gc(self):
        self.kill_verb("gc", "--days", "0")

    def kill_create(self):
        sources = [f"{self.urls['one']}?tag=v{self.dice.randrange(TAGS)}", self.urls["two"], f"{self.urls['three']}?tag=v1"]
        self.kill_verb("create", "pp", "--languages", "--force", *sources)

    def kill_update(self):
        self.number += 1
        self.points["two"].commit(self.files("two", TAGS + self.number))
        self.kill_verb("update", "pp")

    def workers(self):
        supervisor = self.supervisor
        found = []
        for pid in self.mounted.processes():
            with contextlib.suppress(OSError):
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) == supervisor and stat[0] != "Z":
                    found.append(pid)
        return found

    def kill_worker(self):
        time.sleep(self.dice.uniform(0, 0.4))
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.counts["worker killed"] += 1

    def kill_supervisor(self):
        time.sleep(self.dice.uniform(0, 0.3))
        self.readers.mount_gone.set()
        left = self.mounted.processes()
        os.kill(self.supervisor, signal.SIGKILL)
        self.counts["supervisor killed"] += 1
        try:
            eventually(lambda: all(state(pid) in (None, "Z") for pid in left), HANG, "the worker's end")
        except AssertionError as failure:
            self.problems.append(f"after the supervisor's death: {failure}")
        log = self.mounted.log()
        self.call("umount", "-l", self.mounted.path, check=False)
        self.mount_anew()
        self.check_log(log)
        self.readers.mount_gone.clear()

    def mount_anew(self):
        """Where the last one was: what a service's manager would do."""
        for old in self.mounts:
            if old.log_file.exists():
                old.log_file.rename(self.folder / f"mount-{self.number}-{random.random()}.log")
        self.mounted = self.mount(*self.sources, name="mounted", options="timeout=20")
        self.supervisor = self.mounted.status()["supervisor_pid"]

    # ---- what must be true afterwards ----

    def check_log(self, log):
        for number in re.findall(r"killed by signal (\d+)", log):
            if int(number) != signal.SIGKILL:
                self.counts["crash"] += 1
                self.problems.append(f"a worker was ended by signal {number}")

    def check_caches(self):
        # os.walk: folders that the mount makes and removes meanwhile may be gone.
        for folder, _, files in os.walk(self.cache):
            repository = pathlib.Path(folder)
            # What somebody who was killed had begun to make is no repository yet.
            if "HEAD" not in files or not (repository / "objects").is_dir() or repository.name.startswith(".new-"):
                continue
            # The mount goes on fetching: without its lock git may read `shallow`, and then a ref that is newer.
            with open(repository / "startpointfs-lock", "a", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                checked = self.call("git", "--git-dir", repository, "fsck", "--full", "--no-dangling", check=False)
            self.counts["fsck"] += 1
            said = [line for line in (checked.stdout + checked.stderr).splitlines()
                    if not re.match(r"^(notice: |Checking |dangling )", line)]
            if checked.returncode != 0 or said:
                self.problems.append(f"git fsck of {repository.name}: {checked.returncode} {said[:5]}")
            for ref in self.call("git", "--git-dir", repository, "for-each-ref",
                                 "--format=%(refname) %(tree)").stdout.split("\n"):
                name, _, tree = ref.partition(" ")
                if name.startswith("refs/tags/") and tree != self.trees[repository.stem, name.rpartition("/")[2]]:
                    self.problems.append(f"{repository.name}: {name} has another tree")

    def check_sets(self):
        """Whole or not there."""
        done = self.program("ls", "--json", check=False)
        if done.returncode != 0:
            self.problems.append(f"ls: {done.stdout}{done.stderr}")
            return
        for one in json.loads(done.stdout):
            shown = self.program("inspect", one["name"], check=False)
            if shown.returncode != 0:
                self.problems.append(f"inspect {one['name']}: {shown.stdout}{shown.stderr}")
        left = [path.name for path in self.sets.glob("*") if path.name.startswith(".") and path.is_file()]
        if len(left) > 4:
            self.problems.append(f"half files of sets pile up: {left}")

    def check_mount(self):
        name, version = self.dice.choice(list(self.content))
        begun = time.monotonic()
        try:
            if (self.mounted / name / version / "which.txt").read_text() != f"{name} {version[1:]}\n":
                self.readers.wrong.append(f"{name}/{version}")
        except OSError as failure:
            self.problems.append(f"{name}/{version} after a kill: {failure}")
        if time.monotonic() - begun > HANG:
            self.counts["hang"] += 1

    def test_everything_at_random_moments(self):
        self.make_world()
        self.trees = {(name, tag): self.points[name].id_of(f"{tag}^{{tree}}") for name, tag in self.content}
        self.usual = {}
        self.mount_anew()
        self.program("create", "pp", "--languages", self.sources[0], self.urls["two"])
        self.readers = Readers(self.folder / "mounted", self.content, self.seed)
        self.readers.start()
        victims = [self.kill_worker, self.kill_worker, self.kill_supervisor, self.kill_fetch, self.kill_fetch,
                   self.kill_gc, self.kill_gc, self.kill_create, self.kill_update]
        begun = time.monotonic()
        try:
            for number in range(KILLS):
                victim = victims[number] if number < len(victims) else self.dice.choice(victims)
                victim()
                self.check_caches()
                self.check_sets()
                self.check_mount()
                self.counts["hang"] += len(self.readers.hanging())
                if self.counts["hang"]:
                    break
        finally:
            self.counts["hang"] += self.readers.finish()
        self.check_log(self.mounted.log())
        self.tell(time.monotonic() - begun)

    def tell(self, seconds):
        killed = ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items()) if "killed" in what)
        wrong = self.readers.wrong
        print(f"figures: seed {self.seed}, {KILLS} turns in {seconds:.0f} s ({killed}), {self.counts['fsck']} git fsck, "
              f"{self.readers.calls} calls of readers: wrong {len(wrong)}, hang {self.counts['hang']}, "
              f"crash {self.counts['crash']}, failed {len(self.readers.failed)}, not whole {len(self.problems)}")
        self.assertEqual(([], [], []), (wrong[:5], self.readers.failed[:5], self.problems[:5]))
        self.assertEqual((0, 0), (self.counts["hang"], self.counts["crash"]))
