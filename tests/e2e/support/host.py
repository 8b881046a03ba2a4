"""A host of a test's own, as far as mount namespaces go: what is changed in /sbin, /dev or /etc there
is changed nowhere else, and what is mounted there is seen nowhere else."""

import os
import pathlib
import shutil

from .processes import PROGRAM, eventually, run

NOBODY = 65534


# A namespace of its own begins with all mounts that there are, and would keep those of tests that run beside.
LET_OTHERS_GO = ("grep ' fuse.startpointfs ' /proc/self/mounts | cut -d ' ' -f 2 | "
                 "while read -r other; do umount -l \"$other\"; done")


class Host:
    """Use it through the tests; its processes find the program as /sbin/mount.startpointfs."""

    def __init__(self, test):
        self.test = test
        self.folder = test.folder / "host"
        self.folder.mkdir()
        # Others than root must get here.
        os.chmod(test.folder, 0o755)
        self.program = self.folder / "startpointfs"
        shutil.copy(PROGRAM, self.program)
        self.keeper = test.start("unshare", "--mount", "--propagation", "private", "sh", "-c",
                                 f"{LET_OTHERS_GO}; touch {self.folder}/ready; exec sleep infinity")
        eventually((self.folder / "ready").exists, 10, "the namespace")
        self._put_helper()

    def _put_helper(self):
        helpers = self.folder / "sbin"
        helpers.mkdir()
        (helpers / "mount.startpointfs").symlink_to(self.program)
        sbin = os.path.realpath("/sbin")
        self.call("mount", "-t", "overlay", "-o", f"lowerdir={helpers}:{sbin}", "overlay", sbin)

    def put_device(self):
        """/dev/fuse as udev makes it: for everybody."""
        device = self.folder / "fuse"
        os.mknod(device, 0o20666, os.makedev(10, 229))
        os.chmod(device, 0o666)
        self.call("mount", "--bind", device, "/dev/fuse")

    def put_file(self, path, text):
        file = self.folder / pathlib.Path(path).name
        file.write_text(text)
        os.chmod(file, 0o644)
        self.call("mount", "--bind", file, path)

    def call(self, *command, user=0, **options):
        """Runs a command in the namespace, as that user."""
        enter = ["nsenter", "--target", self.keeper.pid, "--mount"]
        if user:
            enter += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return run([str(part) for part in [*enter, *command]],
                   env={**self.test.env, **options.pop("env", {})}, **options)

    def output(self, *command, **options):
        return self.call(*command, **options).stdout
