"""Starting processes, waiting for things to become true, and finding what a test left behind.

Every process that a test starts, and every process that those start, has the test's folder in its
environment as E2E_FOLDER; so a daemon is found, whatever it did to its session and parents. Some
write their title over their environment: they are found by their command or working folder.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time


class _Alone:
    """With vfork Python blocks all signals in the thread that starts a program. If another child of that thread ends then, its
    SIGCHLD, which nobody wants, interrupts what another thread waits for in a mount: a server in a test's process must not.
    Where there is no other thread it costs less than half of fork, which copies the tables of all the interpreter's memory."""

    def __bool__(self):
        return threading.active_count() == 1


subprocess._USE_VFORK = _Alone()

PROJECT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = pathlib.Path(os.environ.get("E2E_PROGRAM") or PROJECT / "build" / "startpointfs").resolve()


def default_signals():
    """As a terminal starts a program. `nohup make test`, and a script in the background, leave some
    signals ignored, and every program that a test starts would inherit that: it could not be
    interrupted."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1,
                   signal.SIGUSR2, signal.SIGCHLD):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT
                          else signal.SIG_DFL)


class Timeout(AssertionError):
    pass


WHEN_BUSY = 3  # times as long as usual may take what is waited for where the processors are busy


def is_busy():
    """Whether for each processor there is more to do than two programs': what is late then says nothing about ours."""
    return os.getloadavg()[0] > 2 * os.cpu_count()


def eventually(condition, timeout=10.0, what="the condition", longest_pause=0.1):
    """Polls until condition() is true and returns its value."""
    begun = time.monotonic()
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > timeout * WHEN_BUSY or (waited > timeout and not is_busy()):
            raise Timeout(f"{what}: not within {timeout} s")
        time.sleep(pause)
        pause = min(pause * 1.5, longest_pause)


def slowness():
    """How many times as long things may take: more than once with a sanitizer."""
    return int(os.environ.get("E2E_SLOWNESS", "1"))


def patience(seconds):
    """For -o timeout=: a sanitizer answers later. What it is given beyond that is spent waiting, each time that something
    must time out."""
    return seconds if slowness() == 1 else seconds * 2


def open_shared(supervisor, name):
    """Memory that outlives a mount's workers, as a file: its nodes, its state, its lists."""
    folder = pathlib.Path(f"/proc/{supervisor}/fd")
    for descriptor in os.listdir(folder):
        if f"startpointfs-{name}" in os.readlink(folder / descriptor):
            return open(folder / descriptor, "r+b", buffering=0)
    raise AssertionError(f"the supervisor keeps no {name}")


def run(command, *, env, timeout=60, check=True, text=True, **further):
    """subprocess.run with a deadline, and an exception that shows what the command printed."""
    command = [os.fspath(part) for part in command]
    if text:
        further["errors"] = "surrogateescape"
    if "input" not in further:
        further.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, env=env, timeout=timeout * slowness() * WHEN_BUSY, text=text, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **further)
    if check and done.returncode != 0:
        shown = " ".join(os.fsdecode(part) for part in command)
        raise AssertionError(f"{shown}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def compiled(name, folder, env, *flags, suffix=""):
    """The program of support/NAME.c, in a test's folder. The first test that needs it compiles it."""
    source = PROJECT / "tests/e2e/support" / f"{name}.c"
    kept = PROJECT / (os.environ.get("E2E_BUILD") or "build") / "tests/e2e" / f"{name}{suffix}"
    if not kept.exists() or kept.stat().st_mtime < source.stat().st_mtime:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        run(["cc", "-g", "-Wall", *flags, "-o", fresh, source, "-ldl"], env=env)
        fresh.rename(kept)
    return shutil.copy(kept, folder)


def preloadable(name, folder, env):
    """The same for LD_PRELOAD."""
    return compiled(name, folder, env, "-O1", "-fPIC", "-shared", suffix=".so")


def stop(process, timeout=10):
    """Ends a server that was started in a session of its own, and all its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            continue
    raise Timeout(f"{process.args} does not end")


def _read(pid, name):
    """A file of /proc, or nothing of a process that is gone. By the shortest way: some look at each process there is."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        content = b""
        while piece := os.read(file, 1 << 16):
            content += piece
        return content
    except OSError:
        return b""
    finally:
        os.close(file)


def _works_in(pid, below):
    """nginx and sshd, whose title lies where their environment was."""
    try:
        place = os.readlink(b"/proc/%d/cwd" % pid)
    except OSError:
        return False
    return (place + b"/").startswith(below) or below in _read(pid, "cmdline")


def _fields(pid):
    """What /proc/PID/stat says from the state on."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def state(pid):
    """The letter that ps shows (R, S, D, Z, ...), or None if there is no such process."""
    found = _fields(pid)
    return found[0].decode() if found else None


def parent_of(pid):
    """None if there is no such process."""
    found = _fields(pid)
    return int(found[1]) if found else None


def children_of(pid):
    """The ids of its living children."""
    return [one for one in _all() if (found := _fields(one)) and int(found[1]) == pid and found[0] != b"Z"]


def _all():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def processes_of(folder, program=None, mount=None):
    """The ids of the living processes that belong to a test's folder, but for this one; with
    program, only those that run it, and with mount (its name), only those of that mount."""
    below = os.fsencode(folder) + b"/"
    markers = [b"\0E2E_FOLDER=" + os.fsencode(folder) + b"\0"]
    if mount is not None:
        markers.append(b"\0E2E_MOUNT=" + os.fsencode(mount) + b"\0")
    found = []
    for pid in _all():
        environment = b"\0" + _read(pid, "environ") + b"\0"
        if not all(marker in environment for marker in markers) and (mount or program or not _works_in(pid, below)):
            continue
        if pid == os.getpid() or state(pid) in (None, "Z"):
            continue
        if program is not None:
            try:
                executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
            except OSError:
                continue
            if executable != os.fspath(program):
                continue
        found.append(pid)
    return found


def gone(pids):
    """Whether all of them have ended, waited for or not."""
    return all(state(pid) in (None, "Z") for pid in pids)


def mounts_below(folder):
    """Mount points at or below a folder, deepest first."""
    prefix = os.fspath(folder)
    points = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            point = line.split(" ")[1].replace("\\040", " ").replace("\\134", "\\")
            if point == prefix or point.startswith(prefix + "/"):
                points.append(point)
    return points[::-1]


def clear(folder):
    """Ends and unmounts whatever a test left. The daemons go first, and by SIGKILL: that aborts
    their mounts' requests, so that readers which hang in them can end at all."""
    left = processes_of(folder, PROGRAM)
    for pid in left + processes_of(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    points = mounts_below(folder)
    for point in points:
        subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL, check=False)
    return left, points
