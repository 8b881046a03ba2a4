"""Commits that no list names: whom looking for them costs what."""

import concurrent.futures
import errno
import os
import time

from support.case import EndToEnd
from support.processes import eventually
from support.repositories import start_point
from support.servers import GitDaemon


class Search(EndToEnd):
    deadline = 120

    def make(self, commits=3):
        """Commits 0, 1, ... of which only the last is tagged; their ids."""
        repository = self.make_repository("many")
        ids = [repository.commit(start_point(str(number))) for number in range(commits)]
        repository.tag("last")
        return repository, ids

    def no_filter(self):
        self.git_config.write_text(self.git_config.read_text()
                                   .replace("allowFilter = true", "allowFilter = false"))

    def test_what_is_missing_is_remembered_until_the_listing_changes(self):
        repository, _ = self.make()
        server = self.serve(GitDaemon, self.repositories)
        mount = self.mount(f"{server.url('many')}?tag=last")
        made_up = mount / "many/1234567"
        self.assert_errno(errno.ENOENT, os.stat, made_up)
        time.sleep(1.1)  # or the remote would not even be listed again
        before = mount.status()["fetches"]
        self.assertGreater(before, 0)
        self.assert_errno(errno.ENOENT, os.stat, made_up)
        self.assertEqual(before, mount.status()["fetches"])
        repository.commit(start_point("new"), tag="new")
        time.sleep(1.1)
        self.assert_errno(errno.ENOENT, os.stat, made_up)
        self.assertGreater(mount.status()["fetches"], before)

    def test_made_up_ids_leave_nothing_and_are_bounded_in_rate(self):
        self.make()
        server = self.serve(GitDaemon, self.repositories)
        mount = self.mount(f"{server.url('many')}?tag=last")
        names = [f"{number:040x}" for number in range(1, 61)]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            for found in pool.map(os.path.exists, [mount / "many" / name for name in names]):
                self.assertFalse(found)
        self.assertEqual(["last"], [version["name"] for version in mount.repository("many")["versions"]])
        # A search may take two packs: of the branches, and of the tags.
        self.assertLess(mount.status()["fetches"], 2 * 20)
        self.assertIn("too many lookups of commits", mount.log())
        self.assertIn("manifest.json", os.listdir(mount / "many/last"))

    def test_all_spellings_share_one_tree(self):
        _, ids = self.make()
        server = self.serve(GitDaemon, self.repositories)
        mount = self.mount(f"{server.url('many')}?tag=last", options="max_nodes=2048")
        paths = [mount / "many" / ids[0][:length] for length in range(7, 41)]
        numbers = set()
        for path in [*paths, *paths]:
            self.assertIn(":0", (path / "manifest.json").read_text())
            numbers.add(os.stat(path / "manifest.json").st_ino)
        self.assertEqual(1, len(numbers))
        self.assertLess(mount.status()["nodes"], 50)
        # A directory that somebody stands in stays what it is.
        folder = os.open(paths[3], os.O_RDONLY)
        self.addCleanup(os.close, folder)
        os.listdir(paths[9])
        self.assertIn("manifest.json", os.listdir(folder))

    def test_a_server_without_filter_is_searched_only_for_what_a_list_names(self):
        self.no_filter()
        repository, ids = self.make()
        server = self.serve(GitDaemon, self.repositories)
        mount = self.mount(f"{server.url('many')}?tag=last")
        self.assert_errno(errno.ENOENT, os.stat, mount / "many" / ids[0][:10])
        self.assertIn("search=always", mount.log())
        self.assertIn(":0", (mount / "many" / ids[0] / "manifest.json").read_text())  # given by its id
        named = self.mount(f"{ids[1][:10]}@{server.url('many')}", cache=self.folder / "named")
        self.assertIn(":1", (named / "many" / ids[1][:10] / "manifest.json").read_text())
        always = self.mount(f"{server.url('many')}?tag=last", options="search=always",
                            cache=self.folder / "always")
        self.assertIn(":1", (always / "many" / ids[1][:10] / "manifest.json").read_text())

    def hold_searches(self):
        """git upload-pack is made slow for requests that have a filter: only searches have. The folder where
        "searching" appears then, and "go" lets them go on."""
        slow = self.folder / "slow"
        slow.mkdir()
        hook = slow / "pack"
        hook.write_text("#!/bin/sh\ncase \"$*\" in *--filter*)\n"
                        f"    touch {slow}/searching; while [ ! -e {slow}/go ]; do sleep 0.1; done;;\nesac\n"
                        'exec "$@"\n')
        hook.chmod(0o755)
        self.git_configure("uploadpack.packObjectsHook", str(hook))
        return slow

    def test_a_fetch_does_not_wait_for_a_search(self):
        _, ids = self.make()
        self.check_beside_a_search(ids[0][:10], True)

    def test_a_fetch_does_not_wait_for_a_whole_id_that_is_made_up(self):
        self.make()
        self.check_beside_a_search("12" * 20, False)

    def test_a_fetch_does_not_wait_for_a_whole_id_that_a_list_names(self):
        self.make()
        self.check_beside_a_search("12" * 20, False, named=True)

    def check_beside_a_search(self, digits, found, named=False):
        slow = self.hold_searches()
        server = self.serve(GitDaemon, self.repositories)
        sources = [f"{server.url('many')}?tag=last", *([f"{digits}@{server.url('many')}"] if named else [])]
        mount = self.mount(*sources)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            search = pool.submit(os.path.exists, mount / "many" / digits / "manifest.json")
            eventually((slow / "searching").exists, 30, "the search")
            self.assertIn("manifest.json", os.listdir(mount / "many/last"))
            self.assertFalse(search.done())
            (slow / "go").touch()
            self.assertEqual(found, search.result(30))

    def test_a_fetch_does_not_wait_for_the_search_of_another_process(self):
        _, ids = self.make()
        slow = self.hold_searches()
        server = self.serve(GitDaemon, self.repositories)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            search = pool.submit(self.program, "fetch", f"{ids[0][:10]}@{server.url('many')}", check=False)
            eventually((slow / "searching").exists, 30, "the search")
            self.program("fetch", f"{server.url('many')}?tag=last", timeout=20)
            self.assertFalse(search.done())
            (slow / "go").touch()
            self.assertEqual(0, search.result(30).returncode)

    def test_what_a_list_names_is_remembered_as_missing_until_the_listing_changes(self):
        repository, _ = self.make()
        server = self.serve(GitDaemon, self.repositories)
        for digits in ("1234567", "12" * 20):
            with self.subTest(digits):
                mount = self.mount(f"{digits}@{server.url('many')}", cache=self.folder / f"cache{len(digits)}")
                missing = mount / "many" / digits / "manifest.json"
                self.assert_errno(errno.ENOENT, os.stat, missing)
                before = mount.status()["fetches"]
                self.assertGreater(before, 0)
                for _ in range(2):
                    time.sleep(1.1)  # or the failure itself would be answered
                    self.assert_errno(errno.ENOENT, os.stat, missing)
                self.assertEqual(before, mount.status()["fetches"])
                self.assertIn("was not found in the history", mount.log())
                repository.commit(start_point("new"), tag=f"new{len(digits)}")
                time.sleep(1.1)
                self.assert_errno(errno.ENOENT, os.stat, missing)
                self.assertGreater(mount.status()["fetches"], before)
