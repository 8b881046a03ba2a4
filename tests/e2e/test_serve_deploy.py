"""Where `startpointfs serve` runs: a start-point image (its steps in a root file system of runc), as
nobody under the limits of cyber-dojo's containers; systemd; Kubernetes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.request

import yaml

from support import servers
from support.case import EndToEnd, allow_seconds
from support.container import Container
from support.processes import PROGRAM, PROJECT, eventually

IMAGE = PROJECT / "mount-scripts" / "containers" / "start-points"
MONITORING = PROJECT / "mount-scripts" / "kubernetes" / "monitoring"
NOBODY = 65534


def steps(arguments):
    """The Containerfile's steps, (word, rest), with its ARGs replaced as an engine does."""
    text = (IMAGE / "Containerfile").read_text().replace("\\\n", "")
    found, values = [], {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if not word or word == "#" or line.startswith("#"):
            continue
        rest = re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], ""), rest)
        if word == "ARG":
            name, _, default = rest.partition("=")
            values[name] = arguments.get(name, default)
        found.append((word, rest))
    return found


class Image(EndToEnd):
    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.make_start_point("py")
        server = self.serve(servers.GitDaemon, self.repositories)
        self.url = server.url("py")
        self.port = servers.free_port()
        self.steps = steps({"TYPE": "languages", "LIST": "my.list", "PORT": str(self.port), "SHA": "abc"})
        self.environment = dict(pair.split("=", 1) for word, rest in self.steps if word == "ENV"
                                for pair in shlex.split(rest))

    def build(self):
        """Runs the steps in a root file system; returns its container, ended."""
        box = Container(self, "build", "startpointfs", "create", "--quiet", "start-points", "--languages",
                        "/app/start-points.list", with_program=True, user=NOBODY, env=self.variables())
        run = [rest for word, rest in self.steps if word == "RUN"]
        self.assertEqual("install -d -o nobody /app /app/repos", run[0])
        for folder in ("app", "app/repos"):
            (box.root / folder).mkdir(exist_ok=True)
            os.chown(box.root / folder, NOBODY, NOBODY)
        copied = [rest.split() for word, rest in self.steps if word == "COPY"]
        self.assertEqual([["ruby", "healthcheck", "/usr/local/bin/"], ["my.list", "/app/start-points.list"]], copied)
        (box.root / "usr/local/bin").mkdir(parents=True)
        for script in ("ruby", "healthcheck"):
            shutil.copy(IMAGE / script, box.root / "usr/local/bin" / script)
        (box.root / "app/start-points.list").write_text(f"{self.url}?tag=3.7.4-19\n")
        box.add("/bin/bash", "bin/bash")
        (box.root / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\nnobody:x:{NOBODY}:{NOBODY}::/:/bin/sh\n")
        configuration = json.loads((box.bundle / "config.json").read_text())
        self.assertEqual(run[1], " ".join(configuration["process"]["args"]))
        box.start()
        self.assertEqual(0, box.wait(), box.output())
        return box

    def variables(self):
        return ["PATH=/usr/local/bin:/usr/bin:/bin", *(f"{name}={value}" for name, value in self.environment.items())]

    def run_image(self, box):
        command = json.loads(next(rest for word, rest in self.steps if word == "CMD"))

        def adjust(configuration):
            """As cyber-dojo runs it: `user: nobody`, read-only, /tmp of 10 MB, nothing else."""
            configuration["root"] = {"path": str(box.root), "readonly": True}
            configuration["process"]["cwd"] = "/app"
            configuration["process"]["noNewPrivileges"] = True
            configuration["process"]["capabilities"] = {}
            configuration["process"]["rlimits"] = [
                {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
                {"type": "RLIMIT_DATA", "soft": 256 << 20, "hard": 256 << 20}]
            configuration["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                                            "options": ["size=10m", "mode=1777"]})
        return Container(self, "image", *command, user=NOBODY, env=self.variables(), adjust=adjust).start()

    def ask(self, path, body=None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", body, 20) as answer:
            return answer.read().decode()

    @allow_seconds(120)
    def test_its_steps_and_what_it_answers(self):
        box = self.build()
        shutil.rmtree(self.repositories / "py")  # it asks no remote
        image = self.run_image(box)
        healthy = image.call("healthcheck", check=False)
        eventually(lambda: image.call("healthcheck", check=False).returncode == 0, 20, f"health: {healthy}")
        self.assertEqual(1, image.call("env", "PORT=1", "healthcheck", check=False).returncode)
        self.assertEqual('{"names":["Python, unittest"]}', self.ask("names"))
        self.assertEqual('{"sha":"abc"}', self.ask("sha"))
        self.assertIn("6 * 9", self.ask("manifest", b'{"name":"Python, unittest"}'))
        shown = image.call("sh", "-c", "ruby /app/repos/inspect.rb").stdout
        self.assertEqual({"Python, unittest": {
            "url": self.url, "sha": json.loads(shown)["Python, unittest"]["sha"],
            "image_name": "cyberdojofoundation/python_unittest:3.7.4-19"}}, json.loads(shown))
        self.assertRegex(json.loads(shown)["Python, unittest"]["sha"], "^[0-9a-f]{40}$")
        refused = image.call("ruby", "-e", "1", check=False)
        self.assertEqual(127, refused.returncode)
        self.assertNotEqual(0, image.call("touch", "/app/x", check=False).returncode)
        self.assertFalse((box.root / "dev/fuse").exists())
        resident = int(re.search(r"VmRSS:\s+(\d+)", image.call("cat", "/proc/1/status").stdout)[1]) << 10
        print(f"figures: resident in the container {resident >> 10} KiB")
        self.assertLess(resident, 32 << 20)
        image.kill("TERM")
        self.assertEqual(0, image.wait(), image.output())

    def test_the_file_says_what_cyber_dojo_looks_for(self):
        for kind in ("languages", "exercises", "custom"):
            found = steps({"TYPE": kind})
            self.assertIn(("LABEL", f"org.cyber-dojo.start-point={kind}"), found)
            self.assertIn(("RUN", f"startpointfs create --quiet start-points --{kind} /app/start-points.list"), found)
        words = [word for word, _ in found]
        self.assertEqual("FROM", words[0])
        # nobody, before anything is fetched and when it runs
        users = [rest for word, rest in found if word == "USER"]
        self.assertEqual("nobody", users[-1])
        self.assertLess(found.index(("USER", "nobody")), max(n for n, word in enumerate(words) if word == "RUN"))
        health = next(rest for word, rest in found if word == "HEALTHCHECK")
        self.assertEqual(["healthcheck"], json.loads(health.partition("CMD ")[2]))
        self.call("shellcheck", IMAGE / "ruby", IMAGE / "healthcheck")

    def test_the_compose_file(self):
        service = yaml.safe_load((IMAGE / "compose.yaml").read_text())["services"]["languages"]
        self.assertEqual(("nobody", True, ["ALL"]), (service["user"], service["read_only"], service["cap_drop"]))
        self.assertLessEqual(set(service["build"]["args"]), {
            rest.partition("=")[0] for word, rest in steps({}) if word == "ARG"})
        self.assertNotIn("volumes", service)
        self.assertNotIn("devices", service)


class Unit(EndToEnd):
    with_sanitizers = False

    def setUp(self):
        super().setUp()
        self.call("make", "--no-print-directory", f"B={PROGRAM.parent}", "install", f"PREFIX={self.folder}/usr",
                  cwd=PROJECT, timeout=100)
        self.unit = self.folder / "usr/lib/systemd/system/startpointfs-serve@.service"

    def test_systemd_accepts_it(self):
        instance = self.unit.with_name("startpointfs-serve@acme-pp.service")
        shutil.copy(self.unit, instance)
        done = self.call("systemd-analyze", "verify", "--man=no", instance)
        self.assertEqual("", done.stdout + done.stderr)

    def test_systemd_finds_it_not_exposed(self):
        done = self.call("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", self.unit,
                         check=False)
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        self.assertLess(float(exposure[1]), 2.0, done.stdout)

    def test_it_allows_the_system_calls_that_are_made(self):
        shown = self.call("systemd-analyze", "--no-pager", "syscall-filter").stdout
        groups, name = {}, None
        for line in shown.splitlines():
            if line.startswith("@"):
                name = line.strip()
                groups[name] = []
            elif name and line.startswith(" ") and not line.strip().startswith("#"):
                groups[name].append(line.strip())

        def expand(member):
            return set().union(*(expand(one) for one in groups[member])) if member.startswith("@") else {member}
        allowed = set()
        for filters in re.findall(r"(?m)^SystemCallFilter=(.*)$", self.unit.read_text()):
            for one in filters.lstrip("~").split():
                allowed = allowed - expand(one) if filters.startswith("~") else allowed | expand(one)
        self.make_start_point()
        server = self.serve(servers.GitDaemon, self.repositories)
        port = servers.free_port()
        tracer = self.start("strace", "-f", "-qq", "-e", "signal=none", "-o", self.folder / "trace", PROGRAM, "serve",
                            "--port", str(port), "--cache", self.folder / "cache",
                            f"{server.url('python-unittest')}?tag=3.7.4-19", stderr=subprocess.DEVNULL)

        def ready():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", None, 20) as answer:
                    return answer.status == 200
            except OSError:
                return False
        eventually(ready, 40, "start-points")
        served = self.call("pgrep", "-P", str(tracer.pid)).stdout.split()[0]
        os.kill(int(served), 15)
        tracer.wait(20)
        made = set(re.findall(r"(?m)^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]",
                              (self.folder / "trace").read_text(errors="replace")))
        self.assertIn("epoll_wait", made)
        self.assertEqual(set(), made - allowed - {"exited", "resumed"})


class Kubernetes(EndToEnd):
    with_sanitizers = False

    def built(self, name):
        text = self.call("kubectl", "kustomize", MONITORING.parent / name).stdout
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text) if one}

    def test_probes_and_scrapes_find_the_service(self):
        pod = self.built("base")["DaemonSet", "startpointfs"]["spec"]["template"]
        one = next(one for one in pod["spec"]["containers"] if one["name"] == "metrics")
        port = one["ports"][0]
        self.assertEqual(str(port["containerPort"]), one["args"][one["args"].index("--port") + 1])
        for probe, path in (("livenessProbe", "/alive"), ("readinessProbe", "/healthz")):
            self.assertEqual({"path": path, "port": port["name"]}, one[probe]["httpGet"])
        annotations = pod["metadata"]["annotations"]
        self.assertEqual(("true", str(port["containerPort"]), "/metrics"), tuple(
            annotations[f"prometheus.io/{key}"] for key in ("scrape", "port", "path")))
        mount = next(mount for mount in one["volumeMounts"] if mount["name"] == "host")
        self.assertEqual(("HostToContainer", True), (mount["mountPropagation"], mount["readOnly"]))
        self.assertTrue(one["args"][-1].startswith(mount["mountPath"]))
        daemon = next(one for one in pod["spec"]["containers"] if one["name"] == "startpointfs")
        self.assertEqual(daemon["args"][-1], one["args"][-1])

    def test_a_start_point_image_as_a_service(self):
        objects = self.built("service")
        template = objects["Deployment", "languages-start-points"]["spec"]["template"]
        service = objects["Service", "languages-start-points"]["spec"]
        self.assertLessEqual(service["selector"].items(), template["metadata"]["labels"].items())
        one = template["spec"]["containers"][0]
        port = one["ports"][0]
        self.assertEqual(port["name"], service["ports"][0]["targetPort"])
        self.assertEqual(str(port["containerPort"]), next(rest.partition("=")[2] for word, rest in steps({})
                                                          if word == "ARG" and rest.startswith("PORT=")))
        self.assertEqual(str(port["containerPort"]), template["metadata"]["annotations"]["prometheus.io/port"])
        for probe, path in (("startupProbe", "/ready"), ("livenessProbe", "/alive"), ("readinessProbe", "/ready")):
            self.assertEqual({"path": path, "port": port["name"]}, one[probe]["httpGet"])
        security = one["securityContext"]
        self.assertEqual((NOBODY, True), (security["runAsUser"], security["readOnlyRootFilesystem"]))

    def test_the_operators_files(self):
        objects = self.built("monitoring")
        monitor = objects["PodMonitor", "startpointfs"]["spec"]
        template = objects["DaemonSet", "startpointfs"]["spec"]["template"]
        self.assertLessEqual(monitor["selector"]["matchLabels"].items(), template["metadata"]["labels"].items())
        ports = [port["name"] for one in template["spec"]["containers"] for port in one.get("ports", [])]
        self.assertEqual(ports, [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]])
        config = objects["ConfigMap", "startpointfs-dashboard"]
        self.assertEqual("1", config["metadata"]["labels"]["grafana_dashboard"])
        json.loads(config["data"]["startpointfs.json"])

    def test_the_dashboard_asks_for_what_there_is(self):
        repository = self.make_start_point(tags=("1",))
        mounted = self.mount(f"{repository.path}?tag=1")
        (mounted / "python-unittest/1/manifest.json").read_text()
        port = servers.free_port()
        self.start(PROGRAM, "serve", "--port", str(port), "--mount", mounted.path, "--cache", self.folder / "cache2",
                   f"{repository.path}?tag=1", stderr=subprocess.DEVNULL)

        def metrics():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", None, 20) as answer:
                    text = answer.read().decode()
                    return text if "startpointfs_serve_ready 1" in text else None
            except OSError:
                return None
        there = set(re.findall(r"(?m)^(startpointfs_\w+)", eventually(metrics, 30, "metrics")))
        dashboard = json.loads((MONITORING / "dashboard.json").read_text())
        asked = set(re.findall(r"startpointfs_\w+", json.dumps([panel["targets"] for panel in dashboard["panels"]])))
        self.assertGreater(len(asked), 12)
        self.assertEqual(set(), asked - there)
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(sorted(set(ids)), ids)
        rules = {"groups": [{"name": "dashboard", "rules": [
            {"record": f"x:{n}", "expr": target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")}
            for n, target in enumerate(t for panel in dashboard["panels"] for t in panel["targets"])]}]}
        (self.folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        self.call("promtool", "check", "rules", self.folder / "rules.yaml")
