"""`startpointfs serve`: every route byte for byte, errors, HTTP, and what clients cannot do to it."""

import gzip
import os
import random
import resource
import shutil
import signal
import socket
import struct
import threading
import time

from support import servers
from support.case import EndToEnd, allow_seconds
from support.processes import PROGRAM, PROJECT, eventually, slowness
from support.service import Service
from support.static import StaticNginx, requests_a_second

FIXTURES = PROJECT / "tests" / "fixtures" / "serve"


class Answers(EndToEnd):
    """The expected files were written by hand, from the rules."""

    def compare(self, service, name):
        for file in sorted((FIXTURES / name / "expected").iterdir()):
            if "-" not in file.name:
                self.assertEqual(file.read_text(), service.text(file.name), f"{name}: {file.name}")

    def test_folders(self):
        for name in ("languages", "mixed", "alike", "exercises", "empty"):
            with self.subTest(name):
                service = Service(self, FIXTURES / name / "repos", name=name)
                self.compare(service, name)
                self.assertEqual(0, service.end())

    def test_one_manifest_by_either_name(self):
        service = Service(self, FIXTURES / "languages" / "repos")
        expected = FIXTURES / "languages" / "expected"
        for name in ("Python, unittest", "Python 3.14.3, unittest"):
            self.assertEqual((expected / "manifest-python").read_text(),
                             service.text("manifest", f'{{"name":"{name}"}}'))
        self.assertEqual((expected / "manifest-c").read_text(),
                         service.text("manifest", '{"x":[],"name":"other","name":"C (gcc)\\u002c assert"}'))
        self.assertEqual(500, service.get("manifest", '{"name":"C 1, x"}').status)

    def test_a_name_that_is_served_comes_before_another_ones_own(self):
        repos = self.folder / "repos"
        for index, (name, language) in enumerate((("Y, t", "X"), ("X, t", "Y"))):
            (repos / str(index)).mkdir(parents=True)
            (repos / str(index) / "manifest.json").write_text(
                f'{{"display_name":"{name}","n":{index},"visible_filenames":[],"language":["{language}","1"],'
                '"test_framework":["t","1"]}')
        service = Service(self, repos)
        self.assertIn('"n":0', service.text("manifest", '{"name":"X, t"}'))
        self.assertIn('"n":1', service.text("manifest", '{"name":"Y, t"}'))

    def test_a_list_of_repositories(self):
        lines = []
        for index in range(4):
            repository = self.make_repository(f"r{index}")
            files = FIXTURES / "mixed" / "repos" / str(index)
            repository.commit({path.relative_to(files).as_posix(): path.read_text()
                               for path in files.rglob("*") if path.is_file()}, tag="1")
            lines.append(f"{repository.path}?tag=1\n")
        (self.folder / "mixed.list").write_text("".join(lines))
        self.compare(Service(self, "--cache", self.folder / "cache", self.folder / "mixed.list"), "mixed")
        # And again from the cache alone.
        shutil.rmtree(self.repositories)
        self.compare(Service(self, "--offline", "--cache", self.folder / "cache", self.folder / "mixed.list",
                             name="again"), "mixed")

    def test_the_tenth_source_is_found_before_the_second(self):
        repository = self.make_repository("many")
        for index in range(12):
            repository.commit({"manifest.json": f'{{"display_name":"{index}","visible_filenames":[]}}'}, tag=str(index))
        (self.folder / "many.list").write_text(
            "".join(f"{repository.path}?tag={index}\n" for index in range(12)))
        shown = Service(self, "--cache", self.folder / "cache", self.folder / "many.list").text("manifests")
        order = [shown.index(f'"{index}":') for index in (0, 1, 10, 11, 2, 3, 9)]
        self.assertEqual(sorted(order), order)

    def test_a_set(self):
        repository = self.make_start_point()
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache"), "STARTPOINTFS_SETS": str(self.folder / "sets")}
        self.program("create", "--quiet", "acme/pp", "--languages", f"{repository.path}?tag=3.7.4-19")
        service = Service(self, "acme/pp")
        self.assertIn("serves 1 start-points", service.log())
        self.assertEqual('{"names":["Python, unittest"]}', service.text("names"))
        self.assertEqual('{"image_names":["cyberdojofoundation/python_unittest:3.7.4-19"]}',
                         service.text("image_names"))

    def test_alive_ready_and_sha(self):
        service = Service(self, FIXTURES / "empty" / "repos", name="without")
        self.assertEqual('{"alive?":true}', service.text("alive"))
        self.assertEqual('{"ready?":true}', service.text("ready"))
        self.assertEqual('{"sha":null}', service.text("sha"))
        sha = "76dd1cabf82aa624a1dabe194731b3cd18aae36a"
        service = Service(self, FIXTURES / "empty" / "repos", env={"SHA": sha})
        self.assertEqual(f'{{"sha":"{sha}"}}', service.text("sha"))


class Errors(EndToEnd):
    def setUp(self):
        super().setUp()
        self.service = Service(self, FIXTURES / "mixed" / "repos")

    def expect(self, name, status, path, body=None):
        reply = self.service.get(path, body)
        self.assertEqual(status, reply.status, reply.body)
        self.assertEqual("application/json", reply.headers["content-type"])
        self.assertEqual((FIXTURES / "errors" / name).read_text(), reply.text)

    def test_each(self):
        self.expect("unknown-route", 400, "nope")
        self.expect("array", 400, "names", "[1]")
        self.expect("bad-json", 500, "names", '{"a":}')
        self.expect("missing", 500, "manifest")
        self.expect("not-a-string", 500, "manifest", '{"name":5}')
        self.expect("unknown-name", 500, "manifest", '{"name":"n/é\\n"}')
        self.expect("too-large", 413, "names", "{" + " " * 65536)

    def test_further_bodies(self):
        for body, status, kind in ((b"null", 400, "ClientError"), (b"12", 400, "ClientError"),
                                   (b'"x"', 400, "ClientError"), (b" ", 500, "JSON::ParserError"),
                                   (b"{} x", 500, "JSON::ParserError"), (b'{"name":"\xff"}', 500, "JSON::ParserError"),
                                   (b"[" * 101, 500, "JSON::NestingError"), (b'{"name":"\\ud800"}', 500, "JSON::P"),
                                   (b'{"name":"a\\u0000"}', 500, "ArgumentError"), (b'{"name":null}', 500, "Argum")):
            reply = self.service.get("manifest", body)
            self.assertEqual(status, reply.status, body)
            self.assertIn(f'"class": "{kind}', reply.text)
        # What is no JSON is said before a route that is none.
        self.assertIn("JSON::ParserError", self.service.get("nope", "x").text)
        for path in ("", "names/", "Names", "names%20", "manifest/x", "..", "%00"):
            self.assertEqual(400, self.service.get(path).status, path)
        self.assertIn('"path": "names%20"', self.service.get("names%20").text)


class Http(EndToEnd):
    def setUp(self):
        super().setUp()
        self.service = Service(self, FIXTURES / "languages" / "repos")

    def test_any_method_and_a_query(self):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            reply = self.service.get("names", "{}", method)
            self.assertEqual((200, "application/json"), (reply.status, reply.headers["content-type"]), method)
            self.assertEqual(str(len(reply.body)), reply.headers["content-length"])
        self.assertEqual(200, self.service.get("names?x=/y").status)
        with self.service.raw() as connection:  # as a proxy asks; servers must take that, too
            connection.sendall(b"GET http://somewhere/names HTTP/1.1\r\nHost: somewhere\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 200 ", connection.recv(100))
        head = self.service.get("names", method="HEAD")
        self.assertEqual((200, b""), (head.status, head.body))
        self.assertEqual(str(len(self.service.text("names").encode())), head.headers["content-length"])

    def test_entity_tags(self):
        first = self.service.get("manifests")
        tag = first.headers["etag"]
        for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = self.service.get("manifests", headers={"If-None-Match": given})
            self.assertEqual((304, b"", tag), (again.status, again.body, again.headers["etag"]), given)
            self.assertEqual(first.headers["content-length"], again.headers["content-length"])
        for given in ('"x"', tag.strip('"')[:-1]):
            self.assertEqual(200, self.service.get("manifests", headers={"If-None-Match": given}).status)
        self.assertNotEqual(tag, self.service.get("names").headers["etag"])
        zipped = {"Accept-Encoding": "gzip"}
        tag_of_zipped = self.service.get("manifests", headers=zipped).headers["etag"]
        for given in (tag, tag_of_zipped):
            again = self.service.get("manifests", headers=zipped | {"If-None-Match": given})
            self.assertEqual((304, tag_of_zipped), (again.status, again.headers["etag"]))
            self.assertNotIn("content-encoding", again.headers)
        connection = self.service.connect()  # goes on behind an answer without a body
        for _ in range(3):
            self.assertEqual(304, self.service.get("manifests", headers={"If-None-Match": tag}, connection=connection).status)
        connection.close()
        self.assertEqual(200, self.service.get("manifests", method="POST", headers={"If-None-Match": tag}).status)

    def test_gzip_when_asked_for(self):
        plain = self.service.get("manifests")
        for accept in ("gzip", "deflate, gzip;q=0.5", "*", "GZIP"):
            zipped = self.service.get("manifests", headers={"Accept-Encoding": accept})
            self.assertEqual("gzip", zipped.headers["content-encoding"], accept)
            self.assertEqual(plain.body, gzip.decompress(zipped.body))
            self.assertNotEqual(plain.headers["etag"], zipped.headers["etag"])
            self.assertEqual("Accept-Encoding", zipped.headers["vary"])
        for accept in ("identity", "gzip;q=0", "br", "*;q=0", ""):
            self.assertNotIn("content-encoding", self.service.get("manifests", headers={"Accept-Encoding": accept}).headers)

    def test_one_connection_for_many_requests(self):
        connection = self.service.connect()
        sockets = set()
        for path, body in (("alive", None), ("nope", None), ("manifest", '{"name":"Ruby, RSpec"}'), ("manifest", "x"),
                           ("names", None)):
            self.service.get(path, body, connection=connection)
            sockets.add(connection.sock.fileno() if connection.sock else None)
        self.assertEqual(1, len(sockets))
        self.assertNotIn(None, sockets)
        # Two at once on one connection, in their order; a body in chunks.
        with self.service.raw() as raw:
            raw.sendall(b"GET /alive HTTP/1.1\r\nHost: x\r\n\r\nPOST /manifest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n8\r\n{\"name\":\r\n4\r\n\"x\"}\r\n0\r\n\r\n")
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        self.assertLess(answer.index(b'{"alive?":true}'), answer.index(b"name:x:unknown"))

    def test_metrics_and_health(self):
        before = self.service.metrics()
        self.service.get("names")
        self.service.get("manifest")
        self.service.get("other-thing")
        total = "startpointfs_serve_requests_total"

        def grown(name):
            return after.get(name, 0) - before.get(name, 0)
        # A request is counted once its answer has gone out: who reads that may be quicker.
        for _ in range(100):
            after = self.service.metrics()
            if grown(f'{total}{{route="other",status="4xx"}}'):
                break
            time.sleep(0.05)
        self.assertEqual(1, grown(f'{total}{{route="names",status="2xx"}}'))
        self.assertEqual(1, grown(f'{total}{{route="manifest",status="5xx"}}'))
        self.assertEqual(1, grown(f'{total}{{route="other",status="4xx"}}'))
        self.assertEqual(1, grown('startpointfs_serve_request_duration_seconds_count{route="names"}'))
        self.assertGreater(grown('startpointfs_serve_request_duration_seconds_sum{route="names"}'), 0)
        self.assertEqual((1, 5), (after["startpointfs_serve_ready"], after["startpointfs_serve_manifests"]))
        reply = self.service.get("healthz")
        self.assertEqual((200, b"ok\n"), (reply.status, reply.body))
        self.assertEqual("text/plain; charset=utf-8", reply.headers["content-type"])
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", self.service.get("metrics").headers["content-type"])
        checked = self.call("promtool", "check", "metrics", input=self.service.text("metrics"))
        self.assertEqual("", checked.stdout + checked.stderr)


class Limits(EndToEnd):
    def setUp(self):
        super().setUp()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.service = Service(self, FIXTURES / "languages" / "repos")

    def answers_at_once(self):
        begun = time.monotonic()
        self.assertEqual('{"alive?":true}', self.service.text("alive"))
        self.assertEqual(200, self.service.get("manifests").status)
        self.assertLess(time.monotonic() - begun, 3 * slowness())

    def open_all(self, count, sent):
        """That many connections, each of which has sent something."""
        opened = []
        for _ in range(count):
            one = self.service.raw()
            self.addCleanup(one.close)
            one.sendall(sent)
            opened.append(one)
        return opened

    def test_a_thousand_connections_hold_nobody_up(self):
        before = self.service.resident()
        self.open_all(400, b"")
        self.open_all(300, b"GET /names HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        self.open_all(300, b"POST /names HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
        eventually(lambda: self.service.metrics()["startpointfs_serve_connections"] >= 1000, 20, "the connections")
        self.answers_at_once()
        if slowness() == 1:
            print(f"figures: {(self.service.resident() - before) >> 10} KiB for a thousand connections")
            self.assertLess(self.service.resident() - before, 16 << 20)

    @allow_seconds(120)
    def test_more_than_it_takes_are_ended_to_make_room(self):
        self.open_all(2040, b"")
        eventually(lambda: self.service.get("alive").status == 200, 20, "an answer")
        # Now in a crowd: who is idle is ended after a second.
        eventually(lambda: self.service.metrics()["startpointfs_serve_connections"] < 1600, 30, "the end of the idle")
        self.assertGreater(self.service.metrics()["startpointfs_serve_connections_ended_total"], 400)
        self.answers_at_once()

    @allow_seconds(120)
    def test_where_few_files_may_be_open(self):
        """It takes as many connections as it may have files, but for some; and a crowd is a crowd."""
        self.service = Service(self, FIXTURES / "languages" / "repos", name="few", program=("prlimit", "--nofile=300", PROGRAM))
        self.open_all(400, b"")
        eventually(lambda: self.service.metrics()["startpointfs_serve_connections_ended_total"] > 0, 10 * slowness(), "room")
        self.answers_at_once()

    def test_a_slow_reader_holds_nobody_up(self):
        for one in self.open_all(50, b"GET /manifests HTTP/1.1\r\nHost: x\r\n\r\n" * 100):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        self.answers_at_once()

    def test_8_kib_of_headers_are_too_much(self):
        self.assertEqual(200, self.service.get("names", headers={"X": "x" * 5000}).status)
        self.assertEqual(431, self.service.get("names", headers={"X": "x" * 8000}).status)

    def test_a_megabyte_of_headers_is_refused(self):
        for headers in (b"X-%d: %s\r\n" % (1, b"x" * (1 << 20)),
                        b"".join(b"X-%d: y\r\n" % number for number in range(1 << 17))):
            with self.service.raw() as raw:
                try:
                    raw.sendall(b"GET /names HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
                except OSError:
                    pass  # it did not read to the end
                try:
                    self.assertRegex(raw.recv(100), rb"^HTTP/1.1 4\d\d |^$")
                except ConnectionError:
                    pass
            self.answers_at_once()
        with self.service.raw() as raw:
            raw.sendall(b"GET /" + b"n" * (1 << 20))
            try:
                self.assertRegex(raw.recv(100), rb"^HTTP/1.1 4\d\d |^$")
            except ConnectionError:
                pass
        self.answers_at_once()

    def test_a_body_above_64_kib_is_413(self):
        self.assertEqual(200, self.service.get("names", "{" + " " * 65534 + "}").status)
        self.assertEqual(413, self.service.get("names", "{" + " " * 65535 + "}").status)
        with self.service.raw() as raw:  # before any of it was sent
            raw.sendall(b"POST /names HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            self.assertRegex(raw.recv(100), rb"^HTTP/1.1 413 ")
        with self.service.raw() as raw:  # in chunks, its size unsaid
            raw.sendall(b"POST /names HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + b"10000\r\n" + b" " * 65536 + b"\r\n1\r\n \r\n0\r\n\r\n")
            self.assertRegex(raw.recv(100), rb"^HTTP/1.1 413 ")
        self.answers_at_once()

    def test_one_that_goes_on_for_ever_is_ended(self):
        with self.service.raw() as raw:
            with self.assertRaises(OSError):
                raw.sendall(b"POST /names HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(10000):
                    raw.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        self.answers_at_once()

    def test_nonsense_and_clients_that_go_away(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        good = b"POST /manifest?x HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n{\"name\":\"x\"}"
        for _ in range(300):
            sent = bytearray(good)
            for _ in range(chance.randrange(4)):
                place = chance.randrange(len(sent))
                sent[place:place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
            del sent[chance.randrange(len(sent)):chance.choice((0, len(sent)))]
            with self.service.raw() as raw:
                raw.sendall(sent)
                if chance.random() < 0.5:  # a reset, in the middle of whatever it does
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.answers_at_once()
        # Nobody is taken for one who still sends.
        eventually(lambda: self.service.metrics()["startpointfs_serve_connections"] == 1, 10 * slowness(), "their end")

    def test_many_at_once_get_whole_answers(self):
        expected = self.service.text("manifests")
        wrong = []

        def ask():
            connection = self.service.connect()
            for _ in range(30):
                if self.service.get("manifests", connection=connection).text != expected:
                    wrong.append(1)
            connection.close()
        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], wrong)


class Memory(EndToEnd):
    with_sanitizers = False

    @allow_seconds(120)
    def test_the_size_of_the_real_list_in_32_mib(self):
        """82 start-points with half a megabyte of files, as git repositories."""
        lines = []
        for index in range(82):
            repository = self.make_repository(f"r{index}")
            files = {f"f{n}.txt": "".join(f"{index} {n} {line} some text of a file\n" for line in range(48)) for n in range(5)}
            repository.commit({"start_point/manifest.json":
                               f'{{"display_name":"Language {index}, t","image_name":"i/{index}:1","visible_filenames":'
                               f'["f0.txt","f1.txt","f2.txt","f3.txt","f4.txt"],"filename_extension":".txt"}}',
                               **{f"start_point/{name}": text for name, text in files.items()}}, tag="1")
            lines.append(f"{repository.path}?tag=1\n")
        (self.folder / "l.list").write_text("".join(lines))
        service = Service(self, "--cache", self.folder / "cache", self.folder / "l.list")
        self.assertGreater(len(service.text("manifests")), 500_000)
        fetched = service.resident()
        service.end()
        service = Service(self, "--offline", "--cache", self.folder / "cache", self.folder / "l.list", name="cached")
        for _ in range(20):
            service.text("manifests")
        with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
        print(f"figures: resident after fetching {fetched >> 10} KiB, from the cache {service.resident() >> 10} KiB, "
              f"at most {peak >> 10} KiB")
        self.assertLess(fetched, 32 << 20)
        self.assertLess(peak, 32 << 20)


class Speed(EndToEnd):
    """Loose bounds, for a machine that does other things meanwhile; `make bench` has the true ones."""

    with_sanitizers = False

    def test_beside_nginx_and_how_long_ready_takes(self):
        service = Service(self, FIXTURES / "languages" / "repos")
        nginx = self.serve(StaticNginx, {"names": service.text("names")})
        rates = [(requests_a_second(self, service.port, "names", 1), requests_a_second(self, nginx.port, "names", 1))
                 for _ in range(2)]
        connection, times = service.connect(), []
        for _ in range(300):
            begun = time.perf_counter()
            service.get("ready", connection=connection)
            times.append(time.perf_counter() - begun)
        connection.close()
        ratio = max(ours / theirs for ours, theirs in rates)
        print(f"figures: names {ratio:.2f} of nginx's requests a second, ready in {min(times) * 1e6:.0f} us at least")
        self.assertGreater(ratio, 0.15)
        self.assertLess(min(times), 0.001)  # Python's own time is in it


class Starting(EndToEnd):
    def refuse(self, *arguments, **options):
        return self.refused("serve", "--port", "0", *arguments, timeout=10, **options)

    def test_what_cannot_be_served(self):
        self.env["STARTPOINTFS_SETS"] = str(self.folder / "sets")
        self.assertIn("nothing-like-it", self.refuse("nothing-like-it"))
        self.assertIn("say what to serve", self.refuse())
        (self.folder / "bad.list").write_text("ftp://x/y\n")
        self.assertIn("bad.list:1", self.refuse(self.folder / "bad.list"))
        self.assertIn("the folder x is claimed by both", self.refuse("https://a.example/x", "https://b.example/x"))
        self.assertIn("serve it alone", self.refuse(FIXTURES / "empty" / "repos", FIXTURES / "mixed" / "repos"))
        self.assertIn("--port", self.refused("serve", "--port", "65536", FIXTURES / "empty" / "repos"))
        self.assertIn("--port", self.refused("serve", "--port", "http", FIXTURES / "empty" / "repos"))
        for port in ("x", "65536", "-1", "1x", "+1"):
            self.env["PORT"] = port
            self.assertEqual(f"startpointfs: PORT is '{port}' in the environment: give a number up to 65535\n",
                             self.refused("serve", FIXTURES / "empty" / "repos"))
        self.assertIn("listen", self.refuse("--listen", "203.0.113.7", FIXTURES / "empty" / "repos", status=1))

    def test_the_port_of_the_environment(self):
        port = servers.free_port()
        self.env["PORT"] = str(port)
        with open(self.folder / "serve.log", "wb") as log:
            self.start(PROJECT / os.environ.get("E2E_PROGRAM", "build/startpointfs"), "serve",
                       FIXTURES / "empty" / "repos", stderr=log)
        eventually(lambda: f"listens on 127.0.0.1:{port}" in (self.folder / "serve.log").read_text(), 20, "the port")
        self.assertIn(f"port {port}", self.refused("serve", "--port", str(port), FIXTURES / "empty" / "repos", status=1))

    def test_faulty_start_points_are_named_and_tried_again(self):
        repos = self.folder / "repos"
        (repos / "0").mkdir(parents=True)
        manifest = repos / "0" / "manifest.json"
        service, number = None, 0
        for text, said in (('{"display_name":"x","visible_filenames":["bad.txt"]}', "bad.txt, which is not UTF-8"),
                           ('{"display_name":"x","visible_filenames":["none"]}', "none, which does not exist"),
                           ('{"display_name":"x","visible_filenames":["../../x"]}', "outside"),
                           ('{"display_name":"x","visible_filenames":["out"]}', "outside"),
                           ('{"display_name":"x","visible_filenames":["d"]}', "a folder"),
                           ('{"display_name":"x"}', "no list visible_filenames"),
                           ('{"visible_filenames":[]}', "no display_name"),
                           ('{"display_name":1,"visible_filenames":[]}', "not a string"),
                           ('{"display_name":"x","visible_filenames":[],"rag_lambda":"none"}', "none, which does not"),
                           ("{", "is not JSON, line 1"), ("[]", "not a JSON object")):
            manifest.write_text(text)
            (repos / "0/bad.txt").write_bytes(b"a\n\xff")
            (repos / "0/d").mkdir(exist_ok=True)
            (repos / "0/d/file").touch()
            if not (repos / "0/out").is_symlink():
                (repos / "0/out").symlink_to("/etc/passwd")
            number += 1
            service = Service(self, "--offline", repos, ready=False, name=f"s{number}")
            eventually(lambda: said in service.log(), 20, said)  # noqa: B023
            self.assertIn("0/manifest.json", service.log())
            self.assertIn("; nothing is served yet", service.log())
            self.assertEqual(503, service.get("ready").status)
            self.assertEqual('{"ready?":false}', service.get("ready").text)
            self.assertEqual(200, service.get("alive").status)
            self.assertEqual(503, service.get("names").status)
            health = service.get("healthz")
            self.assertEqual(503, health.status)
            self.assertIn(said, health.text)
            if text != "[]":
                service.end()
        manifest.write_text('{"display_name":"x","visible_filenames":[]}')
        eventually(service.is_ready, 20, "the mended start-point")

    def test_it_is_alive_while_a_remote_hangs_and_ends_when_told_to(self):
        with socket.create_server(("127.0.0.1", 0)) as hanging:
            url = f"http://127.0.0.1:{hanging.getsockname()[1]}/x?tag=1"
            service = Service(self, "--cache", self.folder / "cache", url, ready=False)
            self.addCleanup(hanging.close)
            hanging.settimeout(20)
            peer, _ = hanging.accept()
            self.assertEqual(200, service.get("alive").status)
            self.assertEqual(503, service.get("ready").status)
            health = service.get("healthz")
            self.assertEqual((503, "no start-points are loaded yet\n"), (health.status, health.text))
            begun = time.monotonic()
            self.assertEqual(0, service.end())
            self.assertLess(time.monotonic() - begun, 10 * slowness())
            peer.close()

    def test_requests_in_hand_are_answered(self):
        service = Service(self, FIXTURES / "languages" / "repos")
        idle = service.connect()
        service.get("names", connection=idle)
        with service.raw() as raw:
            raw.sendall(b"POST /names HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            eventually(lambda: service.metrics()["startpointfs_serve_connections"] == 3, 10, "the connection")
            service.signal(signal.SIGTERM)
            eventually(lambda: "ends" in service.log(), 10, "the end")
            eventually(lambda: socket.socket().connect_ex(("127.0.0.1", service.port)) != 0, 10, "its closed port")
            raw.sendall(b"}")
            self.assertRegex(raw.recv(65536), rb"^HTTP/1.1 200 ")
        begun = time.monotonic()  # who asks nothing is not waited for
        self.assertEqual(0, service.process.wait(20))
        self.assertLess(time.monotonic() - begun, 4 * slowness())
        idle.close()

    def test_a_request_that_does_not_come_is_waited_for_for_some_seconds_only(self):
        service = Service(self, FIXTURES / "languages" / "repos")
        with service.raw() as raw:
            raw.sendall(b"POST /names HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            eventually(lambda: service.metrics()["startpointfs_serve_connections"] == 2, 10, "the connection")
            begun = time.monotonic()
            service.signal(signal.SIGINT)
            self.assertEqual(0, service.process.wait(40))
            self.assertGreater(time.monotonic() - begun, 4)
            self.assertLess(time.monotonic() - begun, 15 * slowness())

    def test_the_next_one_listens_at_the_same_port_at_once(self):
        service = Service(self, FIXTURES / "empty" / "repos")
        self.assertEqual(200, service.get("alive", headers={"Connection": "close"}).status)  # it hangs up first
        self.assertEqual(0, service.end())
        self.assertTrue(Service(self, "--port", str(service.port), FIXTURES / "empty" / "repos", name="next").is_ready())

    def test_an_address_of_version_6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        service = Service(self, "--listen", "::1", FIXTURES / "empty" / "repos", ready=False)
        self.assertIn(f"listens on [::1]:{service.port}\n", service.log())

    def test_what_is_tried_again_is_tried_less_and_less_and_names_no_credential(self):
        port = servers.free_port()
        begun = time.monotonic()
        service = Service(self, "--cache", self.folder / "cache", f"http://me:secret@127.0.0.1:{port}/x?tag=1", ready=False)
        failed = 'startpointfs_serve_loads_total{result="failed"}'
        eventually(lambda: service.metrics()[failed] == 3, 20, "the third try")
        self.assertGreater(time.monotonic() - begun, 3)  # after one second, and after two more
        said = service.log() + service.get("healthz").text
        self.assertIn(f"127.0.0.1:{port}/x", said)
        self.assertNotIn("secret", said)

