"""Who holds a mount for its supervisors: a holder, and systemd's side of its descriptor store."""

import array
import contextlib
import os
import signal
import socket
import subprocess

from .processes import PROGRAM, eventually

NAMES = {"startpointfs-fuse", "startpointfs-nodes", "startpointfs-state", "startpointfs-lists"}


class Holder:
    """`startpointfs hold`; may be killed and started again."""

    def __init__(self, test, name="holder.sock"):
        self.test, self.path = test, test.folder / name
        self.start()

    def start(self):
        with open(self.test.folder / "holder.log", "ab") as log:
            self.process = self.test.start(PROGRAM, "hold", self.path, stderr=log)
        eventually(lambda: self.process.poll() is not None or self._listens(), 20, "the holder")

    def _listens(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
            return asker.connect_ex(os.fspath(self.path)) == 0

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def end(self):
        self.process.terminate()
        return self.process.wait(20)


class Manager:
    """systemd, as far as a service with a descriptor store sees it."""

    def __init__(self, test):
        self.test, self.store, self.said = test, {}, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.fspath(test.folder / "notify"))
        self.socket.settimeout(20)
        test.addCleanup(self.close)

    def close(self):
        self.socket.close()
        self.forget(list(self.store))

    def forget(self, names):
        for name in names:
            os.close(self.store.pop(name))

    def start(self, *command, hand_over=True):
        """A service's main process, with what the store has at the descriptors from 3 on. What the one before has said
        is not this one's."""
        self.hear_all()
        names = list(self.store) if hand_over else []
        environment = {**self.test.env, "NOTIFY_SOCKET": os.fspath(self.test.folder / "notify")}
        if names:
            environment |= {"LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)}

        def put():
            moved = [os.dup(self.store[name]) for name in names]
            high = [os.dup2(one, 100 + number) for number, one in enumerate(moved)]
            for number, one in enumerate(high):
                os.dup2(one, 3 + number)
            os.closerange(3 + len(names), 200)

        shell = ["sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', "sh"]
        with open(self.test.folder / "service.log", "ab") as log:
            return subprocess.Popen([*shell, *map(os.fspath, command)], env=environment,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    close_fds=False, preexec_fn=put)

    def hear(self):
        """The next message, as a dict; what it brings is in the store, what it takes away is not."""
        text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(64))
        message = dict(line.split("=", 1) for line in text.decode().splitlines())
        fds = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data)
        name = message.get("FDNAME")
        if "FDSTORE" in message:
            self.test.assertEqual(("1", "0"), (message["FDSTORE"], message["FDPOLL"]))
            self.forget({name} & set(self.store))
            self.store[name], = fds
        elif "FDSTOREREMOVE" in message:
            self.forget({name} & set(self.store))
        self.said.append(message)
        return message

    def hear_all(self):
        """What has been said so far."""
        self.socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.hear()
        self.socket.settimeout(20)

    def expect(self, key):
        for _ in range(50):
            if key in self.hear():
                return
        self.test.fail(f"no {key}: {self.said}")
