"""What people see on their terminals: nothing is wider than these are, and they are left as they were found."""

import os
import re
import signal
import threading

from support.case import EndToEnd
from support.processes import PROGRAM, eventually, state
from support.repositories import start_point
from support.terminal import OnTerminal
from support.wire import RESULT, Answer, HttpServer, packet


class GatedServer(HttpServer):
    """Sends the beginning of each pack, and says something; the rest comes when `gate` is set."""

    def __init__(self, repository, says=b"Compressing objects: 45% (9/20)\r"):
        self.gate = threading.Event()
        self.says = says
        super().__init__(repository, self._answer)

    def _answer(self, _, request):
        answer = self.true_answer(request)
        return Answer(headers={"Content-Type": RESULT}, body=self._slowly(answer.body)) if request.command == "fetch" \
            else answer

    def _slowly(self, body):
        begin, word, rest = body.partition(packet("packfile\n"))
        yield begin + word + packet(b"\2" + self.says)
        self.gate.wait(50)
        yield rest

    def stop(self):
        self.gate.set()
        super().stop()


class Terminal(EndToEnd):
    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache"), "STARTPOINTFS_SETS": str(self.folder / "sets")}

    def on_terminal(self, *arguments, env=None, **options):
        terminal = OnTerminal([PROGRAM, *arguments], env or self.env, **options)
        self.addCleanup(terminal.close)
        return terminal

    def printed(self, *arguments, status=0, **options):
        """All that a command shows."""
        terminal = self.on_terminal(*arguments, **options)
        self.assertEqual(status, terminal.wait(), terminal.screen.text())
        return terminal


class Progress(Terminal):
    def test_a_fetch_that_takes_its_time_is_seen_to_live(self):
        repository = self.make_start_point(tags=["1", "2"])
        for columns in (80, 160):
            server = self.serve(GatedServer, repository, b"Compressing \x1b[31m\x07objects: 45%\xff\r")
            fetch = self.on_terminal("fetch", server.url("python-unittest") + "?tag=1", columns=columns)
            fetch.shows(r"\[\.+\] 0/1  \d+ B  ")
            fetch.shows(r"  python-unittest  [1-9] s  .* B  Compressing \?\[31m\?objects: 45%\?")
            server.gate.set()
            self.assertEqual(0, fetch.wait())
            self.assertEqual("1 version: 1 fetched, 0 already in the cache, 0 failed", fetch.screen.text())
            self.assertEqual(0, fetch.screen.wrapped)
            self.call("rm", "-r", self.folder / "cache")

    def test_the_others_draw_as_well(self):
        for verb in (["check", "--languages"], ["create", "pp", "--languages"]):
            server = self.serve(GatedServer, self.make_start_point(f"python-{verb[0]}", tags=["3.7.4-19"]))
            told = self.on_terminal(*verb, server.url("python-unittest") + "?tag=3.7.4-19")
            told.shows(r"\[\.+\] 0/1 .*\n  python-unittest  .*  Compressing objects: 45% \(9/20\)")
            server.gate.set()
            self.assertEqual(0, told.wait())
            self.assertNotIn("Compressing", told.screen.text())
            self.assertNotIn("0/1", told.screen.text())

    def test_update_shows_that_it_asks_before_it_fetches(self):
        gate = threading.Event()
        self.addCleanup(gate.set)

        def answer(server, request):
            if asked and request.command == "ls-refs":
                gate.wait(50)
            return server.true_answer(request)

        asked = []
        server = self.serve(HttpServer, self.make_start_point(tags=["1"]), answer)
        self.program("create", "pp", "--languages", server.url("python-unittest") + "?tag=1")
        asked.append(True)
        told = self.on_terminal("update", "pp")
        told.shows(r"\[\.+\] 0/1  asking the remotes  .*\n  python-unittest  [1-9] s")
        gate.set()
        self.assertEqual(0, told.wait())
        self.assertEqual("Nothing changed in the set 'pp'.", told.screen.text())
        done = self.program("update", "pp")
        self.assertEqual("[1/1] python-unittest/1: already in the cache\n", done.stderr)

    def test_an_interrupted_one_leaves_nothing_behind(self):
        server = self.serve(GatedServer, self.make_start_point(tags=["1"]))
        for number in (signal.SIGINT, signal.SIGTERM):
            fetch = self.on_terminal("fetch", server.url("python-unittest") + "?tag=1")
            fetch.shows("Compressing")
            fetch.process.send_signal(number)
            self.assertEqual(3, fetch.wait())
            self.assertNotIn("Compressing", fetch.screen.text())
            self.assertNotIn("[.", fetch.screen.text())

    def test_quiet_is_quiet(self):
        server = self.serve(GatedServer, self.make_start_point(tags=["1"]))
        threading.Timer(1.5, server.gate.set).start()
        self.assertEqual(b"", self.printed("fetch", "--quiet", server.url("python-unittest") + "?tag=1").raw)

    def test_in_a_pipe_a_line_a_version_and_a_failure_once(self):
        good = self.make_start_point(tags=["1"])
        done = self.program("fetch", f"{good.path}?tag=1", f"{good.path}?tag=2", check=False)
        self.assertEqual(3, done.returncode)
        self.assertIn("python-unittest/1: fetched\n", done.stderr)
        self.assertEqual(2, len(re.findall(r"(?m)^\[[12]/2\] python-unittest/[12]: (fetched|failed)$", done.stderr)))
        self.assertEqual(3, done.stderr.count("\n"), done.stderr)
        self.assertNotIn("\033", done.stderr + done.stdout)


class Status(Terminal):
    def setUp(self):
        super().setUp()
        long = "a-repository-whose-name-is-so-long-that-it-takes-more-than-half-of-a-row-of-a-terminal"
        self.make_start_point(long, tags=["1"])
        self.make_start_point("bash-bats", tags=["1.2.0-4"])
        self.lines = self.folder / "pp.list"
        self.lines.write_text(f"./repositories/{long}?tag=1\n./repositories/bash-bats?tag=1.2.0-9\n"
                              "./repositories/bash-bats?tag=1.2.0-4\n")

    def test_it_fits(self):
        mount = self.mount(self.lines)
        os.listdir(mount / "bash-bats")
        wide = self.printed("status", mount, columns=160)
        narrow = self.printed("status", mount, columns=80)
        for shown in (wide, narrow):
            self.assertEqual(0, shown.screen.wrapped, shown.screen.text())
            self.assertIn("bash-bats", shown.screen.text())
            self.assertRegex(shown.screen.text(), r"nearest:\s+1\.2\.0-4")
        self.assertGreater(max(map(len, wide.screen.lines)), 80)
        self.assertGreater(len(narrow.screen.lines), len(wide.screen.lines))
        columns = self.printed("status", mount, columns=160, env={**self.env, "COLUMNS": "70"})
        self.assertLessEqual(max(map(len, columns.screen.lines)), 70)
        # In a pipe nothing is cut, so that grep finds it.
        self.assertIn(str(self.folder / "repositories/bash-bats"), self.program("status", mount).stdout)

    def test_what_a_cached_listing_lacks_is_known_to_be_missing_soon(self):
        first = self.mount(self.lines)
        os.listdir(first / "bash-bats")
        first.unmount()
        second = self.mount(self.lines)
        eventually(lambda: second.version("bash-bats", "1.2.0-9")["state"] == "missing", 20, "the state")
        self.assertIn("1.2.0-9 is no tag or branch of bash-bats", second.log())

    def test_sentences_and_findings_fit_too(self):
        shown = self.printed("fetch", "./nosuch?tag=" + "a long name ".replace(" ", "-") * 9, status=3, columns=60,
                             env=self.env)
        self.assertEqual(0, shown.screen.wrapped, shown.screen.text())
        self.assertNotIn(b"\033[3", self.printed("frob", status=2).raw)
        repository = self.make_repository("wrong")
        repository.commit({"manifest.json": '{"tab_size": 0, "a-key-that-nobody-knows-of": 1}'}, tag="1")
        shown = self.printed("check", "--custom", f"{repository.path}?tag=1", status=20)
        self.assertEqual(0, shown.screen.wrapped, shown.screen.text())
        self.assertIn(b"\033[31m", shown.raw)
        done = self.program("check", "--custom", f"{repository.path}?tag=1", check=False)
        self.assertNotIn("\033", done.stderr)

    def test_colours(self):
        mount = self.mount(self.lines)
        os.listdir(mount / "bash-bats")
        self.assertGreater(self.printed("status", mount).screen.colours, 2)
        for arguments, env in (([], {"NO_COLOR": "1"}), (["--color=never"], {}), ([], {"TERM": "dumb"})):
            self.assertNotIn(b"\033", self.printed("status", *arguments, mount, env={**self.env, **env}).raw)
        self.assertNotIn("\033", self.program("status", mount).stdout)
        self.assertIn("\033[33m", self.program("status", "--color=always", mount).stdout)
        self.assertIn("give auto, always or never", self.refused("status", "--color=blue", mount))

    def test_faults_of_lists_and_what_is_being_fetched(self):
        server = self.serve(GatedServer, self.make_start_point("slow", tags=["1"]))
        self.lines.write_text(f"{server.url('slow')}?tag=1\n")
        mount = self.mount(self.lines)
        reader = self.start("cat", mount / "slow/1/manifest.json", stdout=-3)
        watch = self.on_terminal("status", "--watch", mount)
        watch.shows(r"Being fetched:\n    slow/1: .* B, .* B/s, for [1-9] s")
        [transfer] = mount.status()["transfers"]
        self.assertEqual(("slow", ["1"], 1), (transfer["repository"], transfer["versions"], transfer["count"]))
        self.lines.write_text("this is junk\n")
        watch.shows(r"the list pp is faulty, and stays as it was last read:\s+.*pp\.list:1:\s+'this is\s+junk'")
        server.gate.set()
        self.assertEqual(0, reader.wait(20))
        watch.shows(r"slow .* 1 ready")
        self.assertNotIn("Being fetched", watch.screen.text())
        watch.type("q")
        self.assertEqual(0, watch.wait())
        self.assertEqual(0, watch.screen.wrapped)

    def test_a_repository_that_is_not_there_counts_as_failed(self):
        server = self.serve(HttpServer, self.make_start_point("gone", tags=["1"]), lambda *_: Answer(404))
        mount = self.mount(f"{server.url('gone')}?tag=1")
        os.listdir(mount / "gone")
        shown = self.program("status", mount).stdout
        self.assertRegex(shown, r"(?m)^gone +1 version, 0 ready, 1 failed, not listed yet$")
        self.assertIn("404", shown)

    def test_watch_leaves_the_terminal_as_it_was(self):
        mount = self.mount(self.lines)
        for end, code in ((lambda watch: watch.type("q"), 0), (lambda watch: watch.type("xQ"), 0),
                          (lambda watch: watch.type("\x03"), 0), (lambda watch: watch.type("\x1c"), -signal.SIGQUIT),
                          (lambda watch: watch.process.terminate(), -signal.SIGTERM),
                          (lambda watch: watch.process.send_signal(signal.SIGHUP), -signal.SIGHUP)):
            watch = self.on_terminal("status", "--watch", mount)
            watch.shows("bash-bats")
            self.assertFalse(watch.is_as_before())
            self.assertTrue(watch.screen.other)
            end(watch)
            self.assertEqual(code, watch.wait())
            self.assertTrue(watch.is_as_before())
            self.assertFalse(watch.screen.other)
            self.assertIn(b"\033[?25h", watch.raw)

    def test_watch_can_be_stopped_and_its_terminal_may_change(self):
        mount = self.mount(self.lines)
        watch = self.on_terminal("status", "--watch", mount, rows=8)
        watch.shows(r"^\d\d:\d\d:\d\d   every second; q quits\nstartpointfs .*(\n.*){3}\n\.\.\. \d+ more lines: "
                    "'startpointfs status' shows them all$")
        watch.type("x")  # means nothing
        watch.type("\x1a")
        watch.until(lambda: state(watch.process.pid) == "T" and not watch.screen.other, "does not stop")
        self.assertTrue(watch.is_as_before())
        watch.resize(100, 40)
        watch.process.send_signal(signal.SIGCONT)
        watch.until(lambda: "bash-bats" in watch.screen.text() and "more lines" not in watch.screen.text(), "does not go on")
        self.assertFalse(watch.is_as_before())
        self.assertTrue(watch.screen.other)
        watch.type("q")
        self.assertEqual(0, watch.wait())

    def test_watch_says_what_is_wrong_with_a_mount(self):
        plain = self.folder / "plain"
        plain.mkdir()
        watch = self.on_terminal("status", "--watch", plain)
        watch.shows(r"(?s)every second; q quits\n.*no startpointfs is mounted on .*plain")
        watch.type("q")
        self.assertEqual(0, watch.wait())
        for option in ("--json", "--prometheus"):
            watch = self.on_terminal("status", "--watch", option, plain)
            self.assertEqual(1, watch.wait())

    def test_watch_of_what_does_not_answer_can_be_ended(self):
        mount = self.mount(self.lines)
        watch = self.on_terminal("status", "--watch", mount)
        watch.shows("bash-bats")
        pid = mount.status()["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            watch.shows("has not answered for [3-9] s")
            watch.type("\x03")
            self.assertEqual(0, watch.wait())
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual("startpointfs: --watch needs a terminal; elsewhere, leave it out\n", self.refused("status", "--watch", mount))
