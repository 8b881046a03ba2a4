"""Starting processes, waiting for things to become true, and finding what a test left behind.

Every process that a test starts, and every process that those start, has the test's folder in its
environment as E2E_FOLDER; so a daemon is found, whatever it did to its session and parents. Some
write their title over their environment: they are found by their command or working folder.
"""

import os
import pathlib
import signal
import subprocess
import time

# With vfork Python blocks all signals in the thread that starts a program. If another child of that thread ends then, its
# SIGCHLD, which nobody wants, interrupts what another thread waits for in a mount: a server in a test's process must not.
subprocess._USE_VFORK = False

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


def _parts(pid, name):
    """What /proc has of a process with zeros between: its environ, its cmdline."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")
    except OSError:
        return []


def _works_in(pid, folder):
    """nginx and sshd, whose title lies where their environment was."""
    try:
        place = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    below = os.fspath(folder) + "/"
    return (place + "/").startswith(below) or any(os.fsencode(below) in part for part in _parts(pid, "cmdline"))


def state(pid):
    """The letter that ps shows (R, S, D, Z, ...), or None if there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return None


def processes_of(folder, program=None, mount=None):
    """The ids of the living processes that belong to a test's folder, but for this one; with
    program, only those that run it, and with mount (its name), only those of that mount."""
    markers = {b"E2E_FOLDER=" + os.fsencode(folder)}
    if mount is not None:
        markers.add(b"E2E_MOUNT=" + os.fsencode(mount))
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or state(entry) in (None, "Z"):
            continue
        if not markers.issubset(_parts(entry, "environ")) and (mount or program or not _works_in(entry, folder)):
            continue
        if program is not None:
            try:
                executable = os.readlink(f"/proc/{entry}/exe").removesuffix(" (deleted)")
            except OSError:
                continue
            if executable != os.fspath(program):
                continue
        found.append(int(entry))
    return found


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
