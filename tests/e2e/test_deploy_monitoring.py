"""status, for people and for Prometheus."""

import re

from support import servers
from support.case import EndToEnd
from support.processes import eventually


class Status(EndToEnd):
    def setUp(self):
        super().setUp()
        self.good = self.make_start_point("good", tags=["1", "2"])
        self.mounted = self.mount(f"{self.good.path}?tag=1",
                                  f"http://127.0.0.1:{servers.free_port()}/down?tag=1",
                                  options="timeout=5")
        (self.mounted / "good/1/manifest.json").read_text()
        with self.assertRaises(OSError):
            (self.mounted / "down/1/manifest.json").read_text()
        self.mounted.status()

    def metrics(self):
        text = self.program("status", "--prometheus", self.mounted).stdout
        samples = {}
        for name, labels, value in re.findall(r"(?m)^(\w+)\{(.*)\} (\S+)$", text):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
            self.assertEqual(str(self.mounted.path), labels.pop("mountpoint"))
            key = (name.removeprefix("startpointfs_"), *sorted(labels.values()))
            self.assertNotIn(key, samples)
            samples[key] = float(value)
        return text, samples

    def test_promtool_accepts_it(self):
        text, _ = self.metrics()
        done = self.call("promtool", "check", "metrics", input=text)
        self.assertEqual("", done.stdout + done.stderr)

    def test_the_numbers_are_those_of_status_json(self):
        _, samples = self.metrics()
        status = self.mounted.status()
        self.assertEqual(1, samples["fetches_total", "ok"])
        self.assertGreaterEqual(samples["fetches_total", "failed"], 1)
        self.assertEqual(status["bytes_fetched"], samples["fetched_bytes_total",])
        self.assertEqual(status["fetch_seconds"]["count"],
                         samples["fetch_duration_seconds_count",])
        self.assertGreaterEqual(samples["fetch_duration_seconds_count",], 2)
        buckets = sorted((float(key[1]), value) for key, value in samples.items()
                         if key[0] == "fetch_duration_seconds_bucket")
        self.assertEqual(sorted(count for _, count in buckets), [count for _, count in buckets])
        self.assertEqual(float("inf"), buckets[-1][0])
        self.assertEqual(samples["fetch_duration_seconds_count",], buckets[-1][1])
        self.assertEqual(1, samples["versions", "good", "ready"])
        self.assertEqual(1, samples["versions", "down", "failed"])
        self.assertEqual(1, samples["repository_failing", "down"])
        self.assertEqual(0, samples["repository_failing", "good"])
        self.assertEqual(0, samples["moved_tags", "good"])
        self.assertEqual(0, samples["restarts_total",])
        self.assertGreater(samples["requests_total", "lookup"], 0)
        # Not looked at before the mount answers.
        eventually(lambda: self.metrics()[1]["cache_bytes",] > 1000, 10, "the cache's size")

    def test_a_row_for_each_repository_for_people(self):
        shown = self.program("status", self.mounted).stdout
        self.assertRegex(shown, r"(?m)^good +\d+ versions?, 1 ready, 0 failed")
        self.assertRegex(shown, r"(?m)^down +\d+ versions?, 0 ready, 1 failed")
        self.assertRegex(shown, r"(?i)127\.0\.0\.1:\d+.*(refused|connect)")

    def test_a_failure_is_one_line_and_then_silence(self):
        for _ in range(3):
            with self.assertRaises(OSError):
                (self.mounted / "down/1/manifest.json").read_text()
        loud = [line for line in self.mounted.log().splitlines()
                if "127.0.0.1" in line and re.search(r" (warning|error) ", line)]
        self.assertEqual(1, len(loud), loud)
