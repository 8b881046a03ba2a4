"""What readers see of the service's mount: on this kernel, from units with namespaces of their own, under AppArmor."""

import os
import pathlib
import time

from base import LISTS, POINT, VERSION, WithService, eventually
from support import processes


class SeenBy(WithService):
    def setUp(self):
        super().setUp()
        self.systemctl("start", "startpointfs")

    def run_unit(self, *properties, command=("ls", f"{POINT}/{VERSION}")):
        options = [f"--property={one}" for one in properties]
        return self.call("systemd-run", "--quiet", "--wait", "--pipe", *options, *command).stdout

    def test_units_with_a_mount_namespace_of_their_own(self):
        for properties in (["PrivateMounts=yes"], ["PrivateTmp=yes"], ["ProtectSystem=strict", "ProtectHome=yes"],
                           ["DynamicUser=yes"], ["User=nobody", "NoNewPrivileges=yes", "ProtectSystem=full"]):
            with self.subTest(properties):
                self.assertIn("manifest.json", self.run_unit(*properties))

    def test_such_a_unit_sees_the_mount_that_comes_after_it(self):
        self.systemctl("stop", "startpointfs")
        reader = self.start("systemd-run", "--quiet", "--wait", "--pipe", "--property=PrivateMounts=yes", "sh", "-c",
                            f"until ls {POINT}/{VERSION}/manifest.json 2>/dev/null; do sleep 0.3; done", stdout=-1)
        time.sleep(1)
        self.assertIsNone(reader.poll())
        self.systemctl("start", "startpointfs")
        self.assertIn(b"manifest.json", reader.communicate(timeout=60 * processes.slowness())[0])

    def test_apparmor_enforces_and_changes_nothing(self):
        self.assertEqual("Y", pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().strip())
        self.assertIn("manifest.json", os.listdir(POINT / VERSION))
        denied = [line for line in self.call("journalctl", "-q", "-k", f"--since=@{self.begun:.3f}").stdout.splitlines()
                  if 'apparmor="DENIED"' in line]
        self.assertEqual([], denied)


class ThisKernel(WithService):
    def test_a_second_walk_asks_nobody(self):
        self.systemctl("start", "startpointfs")
        # By its descriptor: names above a version are asked for anew after a second.
        tree = f"/proc/{os.getpid()}/fd/{os.open(POINT / VERSION, os.O_RDONLY | os.O_DIRECTORY)}"

        def walk():
            self.call("sh", "-c", "find . -ls >/dev/null && find . -type f -exec cat {} + >/dev/null", cwd=tree)

        walk()
        answers = self.server.log().count("Request")
        self.assertEqual({}, self.least_requests_of(walk))
        self.assertEqual(answers, self.server.log().count("Request"))

    def test_names_that_change_show_without_epochs(self):
        """Before 6.16 the kernel drops no names by itself; theirs last a second."""
        pathlib.Path("/etc/default/startpointfs").write_text("OPTIONS=refs_ttl=1\n")
        self.systemctl("start", "startpointfs")
        folder = POINT / "python-unittest"
        self.assertEqual(["3.7.4-18", "3.7.4-19"], sorted(os.listdir(folder)))
        self.assertFalse((folder / "3.7.5").exists())
        self.repository.tag("3.7.5", "3.7.4-19")
        eventually((folder / "3.7.5/manifest.json").exists, 10, "a tag that was pushed")
        eventually(lambda: "3.7.5" in os.listdir(folder), 10, "its name")
        (LISTS / "languages.list").unlink()
        eventually(lambda: os.listdir(POINT) == [], 10, "no list")
        self.write_list("3.7.4-18")
        eventually(lambda: os.listdir(POINT) == ["python-unittest"], 10, "a list again")
        self.assertIn("manifest.json", os.listdir(folder / "3.7.4-18"))
