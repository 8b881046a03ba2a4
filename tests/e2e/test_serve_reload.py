"""`startpointfs serve` while its list, set, folder or mount changes, and beside a mount."""

import os
import shutil
import signal
import threading
import time

from support.case import EndToEnd, allow_seconds
from support.processes import PROGRAM, eventually
from support.service import Service


def manifest(name, **further):
    fields = "".join(f',"{key}":"{value}"' for key, value in further.items())
    return f'{{"display_name":"{name}","visible_filenames":[]{fields}}}'


class Reload(EndToEnd):
    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_SETS": str(self.folder / "sets"), "STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.repository = self.make_repository("one")
        for tag in ("1", "2"):
            self.repository.commit({"manifest.json": manifest(f"one {tag}")}, tag=tag)
        self.list = self.folder / "lists" / "pp.list"
        self.list.parent.mkdir()

    def write_list(self, *versions, text=None):
        fresh = self.folder / "fresh"
        fresh.write_text(text or "".join(f"{self.repository.path}?tag={version}\n" for version in versions))
        fresh.rename(self.list)

    def expect(self, service, *names):
        wanted = '{"names":[' + ",".join(f'"{name}"' for name in names) + "]}"
        eventually(lambda: service.text("names") == wanted, 20, wanted)

    def test_a_list_that_changes_and_becomes_faulty_and_is_mended(self):
        self.write_list("1")
        service = Service(self, self.list)
        self.expect(service, "one 1")
        self.list.write_text(f"{self.repository.path}?tag=2\n")  # in place
        self.expect(service, "one 2")
        self.assertEqual(2, service.metrics()['startpointfs_serve_loads_total{result="ok"}'])  # no branch to ask for
        self.write_list(text="ftp://x/y\n")
        eventually(lambda: service.metrics()["startpointfs_serve_load_failing"] == 1, 20, "the fault")
        self.assertIn("pp.list:1", service.log())
        self.assertIn("the last good start-points are served", service.log())
        self.expect(service, "one 2")
        self.assertEqual(200, service.get("ready").status)
        self.assertEqual(200, service.get("healthz").status)
        self.list.unlink()
        eventually(lambda: service.log().count("last good") >= 2, 20, "the list's end")
        self.expect(service, "one 2")
        self.write_list("1")
        self.expect(service, "one 1")
        metrics = service.metrics()
        self.assertEqual(0, metrics["startpointfs_serve_load_failing"])
        self.assertGreaterEqual(metrics['startpointfs_serve_loads_total{result="ok"}'], 3)
        self.assertGreaterEqual(metrics['startpointfs_serve_loads_total{result="failed"}'], 2)

    def test_a_version_that_cannot_be_served_leaves_the_last_good_one(self):
        self.repository.commit({"manifest.json": '{"display_name":"x","visible_filenames":["none"]}'}, tag="bad")
        self.write_list("1")
        service = Service(self, self.list.name, program=("sh", "-c", 'cd "$0" && exec "$@"', self.list.parent, PROGRAM))
        self.write_list("bad")
        eventually(lambda: "the file none, which does not exist" in service.log(), 20, "the fault")
        self.expect(service, "one 1")
        self.write_list("none-such")
        eventually(lambda: "none-such" in service.log(), 20, "the fault")
        self.expect(service, "one 1")

    def test_a_set_that_is_created_again_and_removed(self):
        self.repository.commit({"manifest.json": '{"display_name":"S","visible_filenames":["cyber-dojo.sh"],'
                                '"image_name":"x/y:9","filename_extension":".py"}', "cyber-dojo.sh": "x"}, tag="9")
        source = f"{self.repository.path}?tag=9"
        self.program("create", "--quiet", "pp", "--languages", source)
        service = Service(self, "pp")
        self.expect(service, "S")
        self.program("rm", "pp")
        eventually(lambda: "no set, list or folder 'pp'" in service.log(), 20, "the set's end")
        self.expect(service, "S")
        self.repository.commit({"manifest.json": '{"display_name":"T","visible_filenames":["cyber-dojo.sh"],'
                                '"image_name":"x/y:10","filename_extension":".py"}', "cyber-dojo.sh": "x"}, tag="10")
        self.program("create", "--quiet", "pp", "--languages", f"{self.repository.path}?tag=10")
        self.expect(service, "T")

    def test_a_branch_moves_when_it_is_told_to(self):
        self.write_list(text=f"{self.repository.path}\n")
        service = Service(self, self.list)
        self.expect(service, "one 2")
        self.repository.commit({"manifest.json": manifest("one 3")})
        service.signal(signal.SIGHUP)
        self.expect(service, "one 3")
        # The remote is gone: what the cache has goes on being served, also by a new process.
        shutil.move(self.repository.path, self.folder / "away")
        second = Service(self, self.list, name="second")
        self.expect(second, "one 3")
        failed = 'startpointfs_serve_loads_total{result="failed"}'
        eventually(lambda: second.metrics()[failed] >= 2, 20, "the fault, again")
        self.assertEqual(1, second.metrics()["startpointfs_serve_load_failing"])
        self.assertEqual(1, second.log().count("the last good start-points"))  # what the cache has is not read again
        shutil.move(self.folder / "away", self.repository.path)
        self.repository.commit({"manifest.json": manifest("one 4")})
        self.expect(second, "one 4")

    def test_a_folder_whose_shas_change(self):
        repos = self.folder / "repos"
        (repos / "0").mkdir(parents=True)
        (repos / "0/manifest.json").write_text(manifest("first"))
        (repos / "shas.txt").write_text("1")
        service = Service(self, repos)
        (repos / "0/manifest.json").write_text(manifest("second"))
        (repos / "shas.txt").write_text("2")
        self.expect(service, "second")
        (repos / "0/manifest.json").write_text(manifest("third"))
        service.signal(signal.SIGHUP)
        self.expect(service, "third")
        before = service.metrics()['startpointfs_serve_loads_total{result="ok"}']
        time.sleep(5)  # it looks every two seconds
        self.assertEqual(before, service.metrics()['startpointfs_serve_loads_total{result="ok"}'])

    def test_who_asks_meanwhile_gets_whole_answers(self):
        self.write_list("1")
        service = Service(self, self.list)
        whole = {f'{{"manifests":{{"one {n}":{{"display_name":"one {n}","visible_files":{{}}}}}}}}' for n in (1, 2)}
        seen, stop = set(), threading.Event()

        def ask():
            connection = service.connect()
            while not stop.is_set():
                seen.add(service.get("manifests", connection=connection).text)
            connection.close()
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for version in ("2", "1", "2", "1"):
                self.write_list(version)
                self.expect(service, f"one {version}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(whole, seen)


class BesideAMount(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=("1", "2"))
        self.list = self.folder / "pp.list"
        self.write_list("1")
        self.mounted = self.mount("--languages", self.list)

    def write_list(self, tag):
        (self.folder / "fresh").write_text(f"{self.repository.path}?tag={tag}\n")
        (self.folder / "fresh").rename(self.list)

    def test_a_mounts_set_is_a_folder_and_is_live(self):
        service = Service(self, self.mounted / ".startpointfs/sets/pp")
        self.assertIn("python_unittest:1", service.text("image_names"))
        self.write_list("2")
        eventually(lambda: "python_unittest:2" in service.text("image_names"), 20, "the new version")

    def test_a_mount_alone(self):
        service = Service(self, "--mount", self.mounted.path)
        self.assertEqual('{"ready?":true}', service.text("ready"))
        self.assertEqual(400, service.get("names").status)
        self.assertEqual(b"ok\n", service.get("healthz").body)
        metrics = service.metrics()
        self.assertEqual(1, metrics["startpointfs_serve_mount_up"])
        self.assertNotIn("startpointfs_serve_ready", metrics)  # of start-points, which are not its task
        self.assertEqual(0, metrics[f'startpointfs_restarts_total{{mountpoint="{self.mounted.path}"}}'])
        checked = self.call("promtool", "check", "metrics", input=service.text("metrics"))
        self.assertEqual("", checked.stdout + checked.stderr)
        self.mounted.unmount()
        eventually(lambda: service.get("healthz").status == 503, 20, "the mount's end")
        self.assertIn("no startpointfs is mounted", service.get("healthz").text)
        self.assertEqual(0, service.metrics()["startpointfs_serve_mount_up"])
        self.assertEqual(200, service.get("alive").status)

    @allow_seconds(150)
    def test_a_mount_that_hangs_holds_up_its_own_routes_only(self):
        service = Service(self, "--mount", self.mounted.path, self.list)
        of_folder = Service(self, self.mounted / ".startpointfs/sets/pp", name="of_folder")
        status = self.mounted.status()
        pids = [status["supervisor_pid"], status["pid"]]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            asked = [service.raw(timeout=30) for _ in range(20)]
            for one in asked:
                self.addCleanup(one.close)
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(200, service.get("names").status)
            for one in asked:
                answer = one.recv(65536)
                # A text that was made before the mount stopped may still be fresh.
                self.assertRegex(answer, rb"^HTTP/1.1 (503|200) ")
            eventually(lambda: service.get("healthz").status == 503, 30, "the sentence")
            self.assertIn("does not answer", service.get("healthz").text)
            self.assertEqual(0, service.metrics()["startpointfs_serve_mount_up"])
            # What reads the mount's own files hangs in it, goes on answering, and can be ended.
            of_folder.signal(signal.SIGHUP)
            self.assertIn("python_unittest:1", of_folder.text("image_names"))
            self.assertEqual(0, of_folder.end(30))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        eventually(lambda: service.get("healthz").status == 200, 30, "the mount")
        self.assertEqual(0, service.end())
