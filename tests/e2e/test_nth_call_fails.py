"""Every call of the program fails once: its n-th allocation, open, read, write, rename, fsync, socket call and so on, for
each n (`make test` tries some, `make soak` all). It must end by itself with success or with a sentence, never by a signal;
nothing damaged may be pinned, and without the fault the same must succeed then, byte for byte what git has."""

import collections
import concurrent.futures
import contextlib
import errno
import os
import re
import shutil
import subprocess
import threading

from support import servers
from support.case import EndToEnd, allow_seconds
from support.nth_call import KINDS, NthCall
from support.processes import PROGRAM, eventually, slowness
from support.repositories import start_point

# How many calls of a kind are tried, spread evenly over the places that make them. "places": one of each place;
# "all": every call.
MOST = os.environ.get("E2E_NTH_CALLS", "4")
JOBS = 1 if MOST.isdigit() else 2  # other tests run beside; and without threads it is quicker to start programs
HANG = 60 * slowness()
# How that is said; the last two are what pthread_create and libcurl make of it.
NO_MEMORY = re.compile("out of memory|cannot allocate|not enough memory|cannot start a thread|could not resolve host",
                       re.IGNORECASE)


def chosen(nth_call, kind):
    """Which calls are tried."""
    places, count = nth_call.places(kind)
    if MOST == "all":
        return list(range(count))
    if MOST == "places" or len(places) <= int(MOST):
        return places
    return [places[number * len(places) // int(MOST)] for number in range(int(MOST))]


class Place:
    """A cache that is made anew for each try."""

    def __init__(self, test, number, verb):
        self.test, self.verb = test, verb
        self.folder = test.folder / f"place{number}"
        self.folder.mkdir()
        self.nth_call = NthCall(self.folder, test.env, verb)
        self.cache = self.folder / "cache"
        self.env = test.env | {"STARTPOINTFS_CACHE": str(self.cache),
                               "STARTPOINTFS_SETS": str(self.folder / "sets")}

    def prepare(self, cache):
        shutil.rmtree(self.cache, ignore_errors=True)
        if cache:
            shutil.copytree(cache, self.cache, symlinks=True)

    def run(self, arguments, env=None):
        return subprocess.run([PROGRAM, self.verb, *arguments], env=env or self.env, timeout=HANG,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)

    def run_with_fault(self, arguments):
        return self.run(arguments, self.env | self.nth_call.env)


class Campaign:
    """Runs one command once for each call of its."""

    def __init__(self, test, verb, arguments, cache, check):
        self.test, self.verb, self.arguments, self.cache, self.check = test, verb, arguments, cache, check
        self.places = [Place(test, f"{test.places + number}-{verb}", verb) for number in range(JOBS)]
        test.places += JOBS
        self.outcomes, self.faults = collections.Counter(), []
        self.lock = threading.Lock()

    def count(self):
        place = self.places[0]
        place.prepare(self.cache)
        place.nth_call.calm()
        done = place.run_with_fault(self.arguments)
        self.test.assertEqual(0, done.returncode, done.stderr)
        return place.nth_call

    def one(self, place, kind, at):
        place.prepare(self.cache)
        place.nth_call.arm(kind, at)
        fault = None
        try:
            done = place.run_with_fault(self.arguments)
            outcome = "success" if done.returncode == 0 else "refused"
            said = done.stdout + done.stderr
            fault = self.judge(place, kind, done) or self.check(place, done.returncode == 0)
        except subprocess.TimeoutExpired:
            outcome, said, fault = "hang", "", "it hangs"
        except AssertionError as failure:
            fault = str(failure)
        with self.lock:
            self.outcomes["not reached" if not place.nth_call.has_failed() else outcome] += 1
            if fault:
                self.faults.append(f"{self.verb}, {kind} {at}: {fault}\n{said}\n{place.nth_call.where()}")

    @staticmethod
    def judge(place, kind, done):
        if done.returncode < 0 or done.returncode > 3:
            return f"it ended with {done.returncode}"
        if done.returncode == 0:
            return None
        if not re.search(r"\w+ \w+", done.stderr):
            return f"it failed with {done.returncode}, and no sentence"
        if kind in ("memory", "map") and not NO_MEMORY.search(done.stderr) and place.nth_call.has_failed():
            return "out of memory is called something else"
        return None

    def work(self, place, tries):
        for kind, at in tries:
            self.one(place, kind, at)

    def run(self):
        nth_call = self.count()
        counts = nth_call.counts()
        tries = [(kind, at) for kind in KINDS for at in chosen(nth_call, kind)]
        if JOBS == 1:
            self.work(self.places[0], tries)
        else:
            with concurrent.futures.ThreadPoolExecutor(JOBS) as threads:
                list(threads.map(self.work, self.places, [tries[number::JOBS] for number in range(JOBS)]))
        shown = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
        print(f"figures: {self.verb}: {len(tries)} of {sum(counts.values())} calls failed once ({shown}): "
              + ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
              + f", faults {len(self.faults)}")
        self.test.assertEqual([], self.faults, "\n\n".join(self.faults))


class NthCallFails(EndToEnd):
    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.places = 0
        self.repository = self.make_repository()
        self.repository.commit(start_point("1", **{"text.txt": "a\n" * 300}), tag="1")
        self.repository.commit(start_point("2", **{"text.txt": "b\n" * 300, ".gitattributes": "*.txt eol=crlf\n"}), tag="2")
        self.nginx = self.serve(servers.Nginx, self.repositories)
        self.url = self.nginx.url("python-unittest")
        self.kept = self.folder / "kept"
        self.program("fetch", f"{self.url}?tag=1", env=self.env | {"STARTPOINTFS_CACHE": str(self.kept)})

    def folder_of(self, cache):
        return cache / f"http/127.0.0.1:{self.nginx.port}/git/python-unittest.git"

    def git(self, cache, *arguments):
        done = subprocess.run(["git", "--git-dir", self.folder_of(cache), *arguments], env=self.env, timeout=HANG,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        self.assertEqual(0, done.returncode, f"git {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    REFS = ("for-each-ref", "--format=%(refname) %(objectname) %(tree)")

    def check_whole(self, cache):
        """What is pinned is what the server has, and whole. Returns its refs, each with its commit and tree."""
        if not (self.folder_of(cache) / "HEAD").exists():
            return set()
        self.git(cache, "fsck", "--strict", "--no-dangling")
        found = set(self.git(cache, *self.REFS).splitlines())
        self.assertLessEqual(found, self.served)
        return found

    def check_fetched(self, *tags):
        self.served = set(self.repository.git(*self.REFS).splitlines())

        def check(place, _):
            self.check_whole(place.cache)
            done = place.run(["--quiet", *(f"{self.url}?tag={tag}" for tag in tags)])
            self.assertEqual(0, done.returncode, f"without the fault: {done.stderr}")
            names = {line.split()[0] for line in self.check_whole(place.cache)}
            self.assertLessEqual({f"refs/tags/{tag}" for tag in tags}, names)
            left = [path for path in place.cache.rglob("*") if re.search(r"\.lock$|incoming|search\.", path.name)]
            self.assertEqual([], left)
        return check

    @allow_seconds(20000 if not MOST.isdigit() else 240)
    def test_first_fetch(self):
        Campaign(self, "fetch", [f"{self.url}?tag=1"], None, self.check_fetched("1")).run()

    @allow_seconds(20000 if not MOST.isdigit() else 240)
    def test_second_version(self):
        Campaign(self, "fetch", [f"{self.url}?tag=1", f"{self.url}?tag=2"], self.kept, self.check_fetched("1", "2")).run()

    @allow_seconds(20000 if not MOST.isdigit() else 240)
    def test_gc(self):
        """What stays is there as before, whatever fails while the rest is removed."""
        env = self.env | {"STARTPOINTFS_CACHE": str(self.kept), "STARTPOINTFS_SETS": str(self.folder / "sets-of-gc")}
        for name in ("branch-a", "branch-b"):
            self.repository.commit(start_point(name, **{f"{name}.txt": name * 100}), tag=name)
            self.program("fetch", f"{self.url}?tag={name}", env=env)
        self.program("fetch", f"{self.url}?tag=2", env=env)
        for path in self.folder_of(self.kept).glob("refs/tags/*"):
            if path.name != "2":
                os.utime(path, (1_000_000_000, 1_000_000_000))

        self.served = set(self.repository.git(*self.REFS).splitlines())

        def check(place, succeeded):
            self.check_whole(place.cache)
            done = place.run(["--days", "1"])
            self.assertEqual(0, done.returncode, f"without the fault: {done.stderr}")
            names = {line.split()[0] for line in self.check_whole(place.cache)}
            self.assertEqual({"refs/tags/2"}, {name for name in names if name.startswith("refs/tags/")})

        Campaign(self, "gc", ["--days", "1"], self.kept, check).run()

    @allow_seconds(20000 if not MOST.isdigit() else 240)
    def test_a_mounts_worker(self):
        """A reader of a new version gets an errno or the right bytes, and then the right bytes; the worker lives."""
        versions = [f"v{number}" for number in range(60 if MOST.isdigit() else 2000)]
        last = self.repository.id_of("2")
        self.repository.tag_many(versions, last)
        content = start_point("2")["manifest.json"]
        nth_call = NthCall(self.folder, self.env, "worker")
        mount = self.mount(self.url, env=nth_call.env)
        outcomes = collections.Counter()
        pids = sorted(mount.processes())

        def read(version):
            return (mount / "python-unittest" / version / "manifest.json").read_text()

        read(versions.pop())
        nth_call.calm()
        read(versions.pop())
        tries = [(kind, at) for kind in KINDS for at in chosen(nth_call, kind)][:len(versions)]
        for (kind, at), version in zip(tries, versions):
            nth_call.arm(kind, at)
            try:
                outcome = "right" if read(version) == content else "wrong"
            except OSError as failure:
                outcome = errno.errorcode[failure.errno]
            outcomes[outcome if nth_call.has_failed() else "not reached"] += 1
            callers = nth_call.callers()
            nth_call.calm()

            def can_be_read():
                with contextlib.suppress(OSError):
                    return read(version) == content
            eventually(can_be_read, HANG, f"{version} after {kind} {at} failed: {outcome}\n{callers}")
            if pids != sorted(mount.processes()):
                self.fail(f"a worker died of {kind} {at}\n{nth_call.where(callers)}")
        print(f"figures: a mount's worker: {len(tries)} calls failed once while a version was read for the first time: "
              + ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())))
        self.assertNotIn("wrong", outcomes)
        # A read that fails once is how a bad disk shows: what is the same in every repository is then written again, and that is said.
        self.assertNotIn("damaged", re.sub(r"(HEAD|config) was damaged in the cache; made again", "", mount.log()))
        mount.unmount()
        self.served = set(self.repository.git(*self.REFS).splitlines())
        self.check_whole(mount.cache)
