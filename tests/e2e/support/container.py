"""Containers of runc, with a root file system of busybox and, if wanted, startpointfs."""

import json
import os
import pathlib
import re
import shutil

from .processes import PROGRAM, eventually, run

_CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_DAC_OVERRIDE",
                 "CAP_DAC_READ_SEARCH", "CAP_SETPCAP"]


def _mount(destination, kind, *options):
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}


class Container:
    """Created by start(); ends with the test. `binds`: (source, destination, option...).
    `adjust` may change its configuration."""

    def __init__(self, test, name, *command, binds=(), with_program=False, user=0, fuse=False,
                 env=(), adjust=None):
        self.test = test
        self.name = f"{test.folder.name}-{name}"
        self.bundle = test.folder / name
        self.root = self.bundle / "rootfs"
        self.state = test.folder / "runc"
        self._fill(with_program)
        capabilities = _CAPABILITIES + (["CAP_SYS_ADMIN"] if fuse else [])
        configuration = {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False, "user": {"uid": user, "gid": user}, "cwd": "/",
                "args": [os.fspath(part) for part in command],
                # E2E_FOLDER: so that what is left behind is found.
                "env": ["PATH=/usr/bin:/bin", "HOME=/tmp", f"E2E_FOLDER={test.folder}", *env],
                "capabilities": {"bounding": capabilities, **({} if user else {
                    "effective": capabilities, "permitted": capabilities})},
                "noNewPrivileges": not fuse,
            },
            "root": {"path": "rootfs", "readonly": False},
            "mounts": [
                _mount("/proc", "proc"),
                _mount("/dev", "tmpfs", "nosuid", "mode=755", "size=65536k"),
                *({"destination": os.fspath(destination), "type": "bind", "source": os.fspath(source),
                   "options": list(options)} for source, destination, *options in binds),
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
                # As containerd does: what is mounted inside shows outside only if all is shared.
                "rootfsPropagation": "rshared" if any("rshared" in bind for bind in binds) else "rslave",
                **({"resources": {"devices": [{"allow": True, "type": "c", "major": 10, "minor": 229,
                                               "access": "rwm"}]}} if fuse else {}),
                "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229,
                             "fileMode": 0o666, "uid": 0, "gid": 0}] if fuse else [],
            },
        }
        if adjust:
            adjust(configuration)
        (self.bundle / "config.json").write_text(json.dumps(configuration))

    def _fill(self, with_program):
        (self.root / "bin").mkdir(parents=True)
        for name in ("proc", "dev", "tmp", "etc", "start-points", "app/repos", "usr/bin"):
            (self.root / name).mkdir(parents=True)
        os.chmod(self.root / "tmp", 0o1777)
        shutil.copy("/bin/busybox", self.root / "bin/busybox")
        for name in ("sh", "cat", "ls", "sleep", "touch", "id", "test", "env", "mkdir", "ps", "kill"):
            (self.root / "bin" / name).symlink_to("busybox")
        (self.root / "etc/passwd").write_text("root:x:0:0::/tmp:/bin/sh\nreader:x:1000:1000::/tmp:/bin/sh\n")
        if with_program:
            self.add(PROGRAM, "usr/bin/startpointfs")
            self.add(shutil.which("fusermount3"), "bin/fusermount3")
            os.chmod(self.root / "bin/fusermount3", 0o4755)
            (self.root / "etc/fuse.conf").write_text("user_allow_other\n")

    def add(self, program, place):
        """A program, and the libraries it needs."""
        shutil.copy(program, self.root / place)
        needed = run(["ldd", program], env=self.test.env).stdout
        for library in re.findall(r"(/\S+) \(0x", needed):
            target = self.root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(library, target)

    def runc(self, *arguments, **options):
        return self.test.call("runc", "--root", self.state, *arguments, **options)

    def start(self):
        """Starts it; its output is in output()."""
        with open(self.bundle / "output.log", "ab") as log:
            self.process = self.test.start("runc", "--root", self.state, "run", "--bundle",
                                           self.bundle, self.name, stdout=log, stderr=log)
        self.test.addCleanup(self.runc, "delete", "--force", self.name, check=False)
        eventually(lambda: self.process.poll() is not None or '"running"' in self.runc(
            "state", self.name, check=False).stdout, 20, self.name)
        return self

    def output(self):
        return (self.bundle / "output.log").read_text(errors="replace")

    def call(self, *command, **options):
        return self.runc("exec", self.name, *command, **options)

    def kill(self, signal):
        self.runc("kill", self.name, signal)

    def wait(self, timeout=20):
        return self.process.wait(timeout)


def shared(test, name):
    """A folder of the host in which mounts that are made later show in containers."""
    folder = pathlib.Path(test.folder / name)
    folder.mkdir()
    test.call("mount", "--bind", folder, folder)
    test.addCleanup(test.call, "umount", "-l", folder, check=False)
    test.call("mount", "--make-shared", folder)
    return folder
