"""The Kubernetes manifests, as far as they can be checked without a cluster; and the caching mirror,
which runs here as it is."""

import concurrent.futures
import contextlib
import random
import re
import socket
import threading
import time

import yaml

from support import servers
from support.case import EndToEnd
from support.container import Container, shared
from support.processes import PROGRAM, PROJECT, eventually

FOLDER = PROJECT / "mount-scripts" / "kubernetes"


class Manifests(EndToEnd):
    with_sanitizers = False

    def built(self, name):
        """What `kubectl apply -k` would send: {(kind, name): object}."""
        text = self.call("kubectl", "kustomize", FOLDER / name).stdout
        objects = [one for one in yaml.safe_load_all(text) if one]
        for one in objects:
            self.assertLessEqual({"apiVersion", "kind", "metadata"}, set(one))
        return {(one["kind"], one["metadata"]["name"]): one for one in objects}

    def pod(self, workload):
        """A workload's pod; its selector must find it, its mounts must have volumes."""
        spec = workload["spec"]
        labels = spec["template"]["metadata"]["labels"]
        self.assertLessEqual(spec["selector"]["matchLabels"].items(), labels.items())
        pod = spec["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"] + pod.get("initContainers", []):
            self.assertLessEqual({mount["name"] for mount in container["volumeMounts"]}, volumes)
        return pod

    def check_config_maps(self, objects):
        for one in objects.values():
            if one["kind"] not in ("DaemonSet", "Deployment"):
                continue
            for volume in self.pod(one)["volumes"]:
                if "configMap" in volume:
                    self.assertIn(("ConfigMap", volume["configMap"]["name"]), objects)

    def test_a_daemonset_mounts_on_every_node(self):
        objects = self.built("base")
        self.check_config_maps(objects)
        workload = objects["DaemonSet", "startpointfs"]
        self.assertEqual("RollingUpdate", workload["spec"]["updateStrategy"]["type"])
        self.check_holder(objects, workload)
        pod = self.pod(workload)
        self.assertIn(("PriorityClass", pod["priorityClassName"]), objects)
        self.assertEqual([{"operator": "Exists"}], pod["tolerations"])
        container = pod["containers"][0]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        self.assertEqual("Bidirectional", mounts["host"]["mountPropagation"])
        self.assertTrue(container["securityContext"]["privileged"])
        self.assertIn(mounts["lists"]["mountPath"], container["args"])
        self.assertEqual(mounts["host"]["mountPath"] + "/start-points", container["args"][-1])
        self.assertIn(container["args"][-1], pod["initContainers"][0]["command"][-1])
        self.assertEqual(["startpointfs", "status", container["args"][-1]],
                         container["readinessProbe"]["exec"]["command"])
        self.check_liveness(container)
        self.assertTrue(all(name.endswith(".list") for name in
                            objects["ConfigMap", "startpointfs-lists"]["data"]))

    def check_liveness(self, container):
        """It asks what is answered from memory (Probes, below), and is patient."""
        probe = container["livenessProbe"]
        self.assertEqual(["startpointfs", "status", container["args"][-1]], probe["exec"]["command"])
        self.assertGreaterEqual(probe["periodSeconds"] * probe["failureThreshold"], 300)
        self.assertGreater(probe["periodSeconds"], probe["timeoutSeconds"])

    def check_holder(self, objects, workload):
        """It is a DaemonSet of its own, at the socket that the mount is told, and has no right."""
        holder = objects["DaemonSet", "startpointfs-holder"]
        self.assertEqual("OnDelete", holder["spec"]["updateStrategy"]["type"])
        pod, container = self.pod(holder), self.pod(holder)["containers"][0]
        self.assertEqual(["ALL"], container["securityContext"]["capabilities"]["drop"])
        self.assertIn(f"holder={container['command'][-1]}", self.pod(workload)["containers"][0]["args"][1])
        self.assertEqual(["startpointfs", "hold"], container["command"][:2])
        volumes = [next(volume["hostPath"]["path"] for volume in one["volumes"] if volume["name"] == "holder")
                   for one in (pod, self.pod(workload))]
        self.assertEqual(volumes[0], volumes[1])
        self.assertIn("kill -USR2 1", self.pod(workload)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"])

    def test_an_example_reads_what_the_daemonset_mounts(self):
        made = next(volume["hostPath"]["path"] for volume in self.pod(
            self.built("base")["DaemonSet", "startpointfs"])["volumes"]
            if volume["name"] == "host")
        objects = self.built("example")
        pod = self.pod(objects["Deployment", "start-points-reader"])
        # The folder above the mount: else a dead one would be pinned.
        self.assertEqual(made, pod["volumes"][0]["hostPath"]["path"])
        for container in pod["containers"] + pod["initContainers"]:
            self.assertEqual("HostToContainer", container["volumeMounts"][0]["mountPropagation"])
            self.assertTrue(container["volumeMounts"][0]["readOnly"])

    def test_with_a_mirror(self):
        objects = self.built("mirror")
        self.check_config_maps(objects)
        service = objects["Service", "startpointfs-mirror"]
        workload = objects["Deployment", "startpointfs-mirror"]
        self.assertLessEqual(service["spec"]["selector"].items(),
                             workload["spec"]["template"]["metadata"]["labels"].items())
        port = workload["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
        self.assertEqual(port, service["spec"]["ports"][0]["targetPort"])
        self.assertIn(f"listen {port};", objects["ConfigMap", "startpointfs-mirror"]["data"]["nginx.conf"])
        self.assertIn("insteadOf = https://github.com/",
                      objects["ConfigMap", "startpointfs-gitconfig"]["data"]["gitconfig"])

    def test_the_mirror_is_reached_by_the_mounts_alone(self):
        objects = self.built("mirror")
        policy = objects["NetworkPolicy", "startpointfs-mirror"]["spec"]
        mirror, mounts = (objects[name]["spec"]["template"]["metadata"]["labels"].items() for name in (
            ("Deployment", "startpointfs-mirror"), ("DaemonSet", "startpointfs")))
        self.assertLessEqual(policy["podSelector"]["matchLabels"].items(), mirror)
        self.assertEqual(["Egress", "Ingress"], sorted(policy["policyTypes"]))
        [ingress], [egress] = policy["ingress"], policy["egress"]
        self.assertLessEqual(ingress["from"][0]["podSelector"]["matchLabels"].items(), mounts)
        self.assertEqual([objects["Service", "startpointfs-mirror"]["spec"]["ports"][0]["targetPort"]],
                         [one["port"] for one in ingress["ports"]])
        self.assertEqual({("UDP", 53), ("TCP", 53), ("TCP", 443)},
                         {(one["protocol"], one["port"]) for one in egress["ports"]})

    def test_no_container_has_more_rights_than_it_needs(self):
        """Each has bounds; all but the one that mounts, which must be privileged, have no right at all."""
        seen = 0
        for name in ("base", "example", "mirror", "service"):
            for one in self.built(name).values():
                pod = one.get("spec", {}).get("template", {}).get("spec", {})
                for container in pod.get("containers", []) + pod.get("initContainers", []):
                    seen += 1
                    where = f"{name}: {container['name']}"
                    self.assertIn("memory", container["resources"]["requests"], where)
                    self.assertIn("memory", container["resources"]["limits"], where)
                    rights = container["securityContext"]
                    if rights.get("privileged"):
                        self.assertEqual("startpointfs", container["name"])
                        continue
                    self.assertEqual(["ALL"], rights["capabilities"]["drop"], where)
                    self.assertEqual("RuntimeDefault", rights["seccompProfile"]["type"], where)
                    self.assertFalse(rights["allowPrivilegeEscalation"], where)
        self.assertGreater(seen, 8)

    def test_the_program_accepts_the_lists_and_the_arguments(self):
        objects = self.built("base")
        lists = self.folder / "lists"
        lists.mkdir()
        for name, text in objects["ConfigMap", "startpointfs-lists"]["data"].items():
            (lists / name).write_text(text)
        arguments = objects["DaemonSet", "startpointfs"]["spec"]["template"]["spec"]["containers"][0]["args"]
        point = self.folder / "mnt"
        point.mkdir()
        replaced = [{"/etc/startpointfs/lists": str(lists), "/host/start-points": str(point)}.get(
            argument, argument.replace("/var/cache/startpointfs", f"{self.folder}/cache")
            .replace("/run/startpointfs", str(self.folder)))
            for argument in arguments]
        process = self.start(PROGRAM, "mount", "-f", *replaced, stderr=-3)
        eventually((point / ".startpointfs/status.json").exists, 10, "the mount")
        self.assertEqual(["languages"], [path.name for path in (point / ".startpointfs/sets").iterdir()])
        self.call("umount", point)
        self.assertEqual(0, process.wait(10))


class Node(EndToEnd):
    """A node in little: the DaemonSet's pod with Bidirectional propagation (rshared), a reader's with
    HostToContainer (rslave)."""

    with_sanitizers = False

    deadline = 120
    MANIFEST = "python-unittest/3.7.4-19/manifest.json"

    def setUp(self):
        super().setUp()
        self.make_start_point(tags=[f"3.7.4-{number}" for number in range(15, 20)])
        self.lists = self.folder / "lists"
        self.lists.mkdir()
        # Not by its path: for that the pod would need git.
        server = self.serve(servers.GitDaemon, self.repositories)
        (self.lists / "languages.list").write_text(f"{server.url('python-unittest')}?tag=3.7.4-19\n")
        self.host = shared(self, "host")
        (self.host / "start-points").mkdir()
        for name in ("cache", "run"):
            (self.folder / name).mkdir()

    def start_pod(self, name, options=""):
        """The mounting DaemonSet's."""
        pod = Container(self, name, "startpointfs", "mount", "-f", "-o", f"allow_other,cache=/cache{options}",
                        "/etc/startpointfs/lists", "/host/start-points", with_program=True, fuse=True, binds=[
                            (self.host, "/host", "rbind", "rshared"), (self.folder / "cache", "/cache", "bind"),
                            (self.folder / "run", "/run/startpointfs", "bind"),
                            (self.lists, "/etc/startpointfs/lists", "bind", "ro")]).start()
        eventually(lambda: pod.call("startpointfs", "status", "/host/start-points", check=False).returncode == 0, 20,
                   "readiness: " + pod.output())
        return pod

    def start_reader(self, *command):
        return Container(self, "reader", *(command or ("sleep", "1000")), binds=[
            (self.host, "/mounts", "rbind", "ro", "rslave")]).start()

    def test_a_pod_that_mounts_is_seen_by_a_pod_that_reads_and_may_be_replaced(self):
        """Without a holder. The reader starts after the mount, and reads what nobody has read before."""
        pod, reader = self.start_pod("pod0"), self.start_reader()
        for number in range(3):
            seen = f"/mounts/start-points/python-unittest/3.7.4-{15 + number}/manifest.json"
            self.assertIn(f"3.7.4-{15 + number}", reader.call("cat", seen).stdout)
            # First killed, then ended as Kubernetes ends pods.
            pod.kill("KILL" if number == 0 else "TERM")
            pod.wait()
            pod = self.start_pod(f"pod{number + 1}")
        pod.kill("TERM")
        pod.wait()
        self.assertEqual("", reader.call("ls", "/mounts/start-points").stdout)

    def test_the_holder_has_the_mount_while_pods_are_replaced(self):
        """A reader that never stops reading: what nobody has read before, and what the kernel must ask for."""
        holder = Container(self, "holder", "startpointfs", "hold", "/run/startpointfs/holder.sock", with_program=True,
                           binds=[(self.folder / "run", "/run/startpointfs", "bind")]).start()
        held = ",holder=/run/startpointfs/holder.sock"
        eventually((self.folder / "run/holder.sock").exists, 20, "the holder")
        pod = self.start_pod("pod0", held)
        reader = self.start_reader("sh", "-c", "cd /mounts/start-points; while :; do for tag in 5 6 7 8 9; do "
                                   "cat python-unittest/3.7.4-1$tag/hiker.py .startpointfs/status.json >/dev/null || "
                                   "echo failed; ls .startpointfs/sets >/dev/null || echo failed; done; echo -n .; done")
        device = (self.host / "start-points").stat().st_dev
        for number, signal in enumerate(("KILL", "USR2", "KILL", "USR2"), 1):
            pod.kill(signal)
            pod.wait()
            dots = reader.output().count(".")
            pod = self.start_pod(f"pod{number}", held)
            eventually(lambda dots=dots: reader.output().count(".") > dots + 2, 40, "reading that goes on")
        self.assertEqual(device, (self.host / "start-points").stat().st_dev)
        self.assertIn('"takeovers": 4', (self.host / "start-points/.startpointfs/status.json").read_text())
        # The holder's own pod: the next one is given the mount.
        holder.kill("KILL")
        holder.wait()
        def held_by():
            status = pod.call("startpointfs", "status", "--json", "/host/start-points").stdout
            return status.partition('"held_by": ')[2].partition(",")[0]
        # A status is of the last second: nobody holds first, and then somebody does again.
        eventually(lambda: held_by() == "null", 20, "the pod to notice")
        again = Container(self, "holder-again", "startpointfs", "hold", "/run/startpointfs/holder.sock",
                          with_program=True, binds=[(self.folder / "run", "/run/startpointfs", "bind")]).start()
        eventually(lambda: "/run/startpointfs/holder.sock" in held_by(), 20, "held again")
        pod.kill("KILL")
        pod.wait()
        pod = self.start_pod("pod-last", held)
        print(f"figures: 5 pods and a holder replaced, {reader.output().count('.')} rounds of reading, "
              f"{reader.output().count('failed')} failed calls")
        self.assertNotIn("failed", reader.output())
        reader.kill("KILL")
        reader.wait()
        pod.kill("TERM")
        pod.wait()
        again.kill("TERM")
        again.wait()


class Probes(EndToEnd):
    """What Kubernetes asks of the mounting container."""

    def test_a_remote_that_hangs_with_many_readers_delays_no_answer(self):
        server = self.serve(servers.SilentServer)
        mount = self.mount(*(f"{server.url(f'silent{number}')}?tag=1" for number in range(20)))
        readers = [self.start("cat", mount / f"silent{number}/1/manifest.json", stderr=-3) for number in range(20)]
        eventually(lambda: mount.status()["waiting"] >= 20, 20, "readers that wait")
        for _ in range(5):
            began = time.monotonic()
            self.program("status", mount)
            self.assertLess(time.monotonic() - began, 5)
        self.assertEqual([None] * 20, [reader.poll() for reader in readers])


class NameServer(threading.Thread):
    """DNS at port 53 of an address of its own: these names are 127.0.0.1, and no other is known."""

    def __init__(self, *names):
        super().__init__(daemon=True)
        self.names = names
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
            with contextlib.suppress(OSError):
                self.socket.bind((self.address, 53))
                break
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                asked, client = self.socket.recvfrom(512)
                self.socket.sendto(self.answer(asked), client)

    def answer(self, asked):
        labels, at = [], 12
        while asked[at]:
            labels.append(asked[at + 1:at + 1 + asked[at]].decode())
            at += 1 + asked[at]
        question, kind = asked[12:at + 5], asked[at + 2]
        known = ".".join(labels) in self.names
        records = b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + bytes((127, 0, 0, 1)) if known and kind == 1 else b""
        header = asked[:2] + (b"\x81\x80" if known else b"\x81\x83") + bytes((0, 1, 0, bool(records), 0, 0, 0, 0))
        return header + question + records

    def stop(self):
        with contextlib.suppress(OSError):  # it wakes the thread, and says that there is no peer
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()


class Mirror(servers.Server):
    """nginx as `start` starts it, with the mirror's own configuration; only addresses and folders are the test's."""

    def __init__(self, folder, env, origin, name_server, authorities="/etc/ssl/certs/ca-certificates.crt",
                 host="localhost"):
        super().__init__(folder, env)
        self.origin, self.authorities, self.host = origin, authorities, host
        (self.folder / "cache").mkdir()
        (self.folder / "resolv.conf").write_text(f"search example.org\nnameserver {name_server}\noptions ndots:5\n")
        self.back = servers.free_port()
        self.port = self.start_on_port(self._command)

    def _command(self, port):
        text = (FOLDER / "mirror" / "nginx.conf").read_text()
        for old, new in (("listen 8080;", f"listen 127.0.0.1:{port};"),
                         ("listen 127.0.0.1:8081;", f"listen 127.0.0.1:{self.back};"),
                         ("http://127.0.0.1:8081;", f"http://127.0.0.1:{self.back};"),
                         ("set $host_asked github.com;", f"set $host_asked {self.host};"),
                         ("$1 break;", "/git$1 break;"),
                         ("https://$host_asked;", f"{self.origin.address.split(':')[0]}://$host_asked:{self.origin.port};"),
                         ("/etc/ssl/certs/ca-certificates.crt", str(self.authorities)),
                         ("/var/cache/mirror", f"{self.folder}/cache"),
                         ("worker_processes 1;", "worker_processes 1; daemon off; user root;")):
            assert old in text, old
            text = text.replace(old, new)
        (self.folder / "nginx.conf").write_text(text)
        start = (FOLDER / "mirror" / "start").read_text()
        for old, new in (("/etc/resolv.conf", f"{self.folder}/resolv.conf"), ("/var/cache/mirror", f"{self.folder}/cache"),
                         ("exec nginx", f"exec /usr/sbin/nginx -e {self.folder}/server.log"),
                         ("/etc/mirror", str(self.folder)), (' -g "daemon off;"', "")):
            assert old in start, old
            start = start.replace(old, new)
        (self.folder / "start").write_text(start)
        return ["sh", self.folder / "start"]


class CachingMirror(EndToEnd):
    with_sanitizers = False
    deadline = 120
    TAGS = ("1", "2", "3")

    def setUp(self):
        super().setUp()
        for name in ("one", "two"):
            self.make_start_point(name, tags=self.TAGS)
        self.origin = self.serve(servers.Nginx, self.repositories)
        self.names = self.serve(NameServer, "localhost", "elsewhere.example")
        self.mirror = self.serve(Mirror, self.origin, self.names.address)
        self.git_configure(f"url.http://127.0.0.1:{self.mirror.port}/github.com/.insteadOf",
                           "https://github.com/")

    def at_origin(self, command):
        return len([request for request in self.origin.requests()
                    if f"command={command}" in request["body"]])

    def mount_and_read(self, number):
        mount = self.mount("https://github.com/one?tag=1", "https://github.com/two?tag=1",
                           cache=self.folder / f"cache{number}", name=f"node{number}")
        return mount

    def read(self, mount):
        for name in ("one", "two"):
            for tag in self.TAGS:
                manifest = (mount / name / tag / "manifest.json").read_text()
                self.assertIn(f"python_unittest:{tag}", manifest)

    def test_fetches_at_the_origin_do_not_grow_with_the_mounts(self):
        first = self.mount_and_read(0)
        self.read(first)
        fetches = self.at_origin("fetch")
        self.assertGreaterEqual(fetches, 2)
        mounts = [self.mount_and_read(number) for number in range(1, 5)]
        with concurrent.futures.ThreadPoolExecutor(len(mounts)) as pool:
            list(pool.map(self.read, mounts))
        self.assertEqual(fetches, self.at_origin("fetch"))
        for mount in mounts:
            self.assertGreaterEqual(mount.fetches(), 2)

    def test_mounts_that_begin_together_make_one_fetch(self):
        mounts = [self.mount_and_read(number) for number in range(4)]
        with concurrent.futures.ThreadPoolExecutor(len(mounts)) as pool:
            list(pool.map(lambda mount: (mount / "one/1/manifest.json").read_text(), mounts))
        self.assertEqual(1, self.at_origin("fetch"))

    def test_a_new_tag_is_seen_within_seconds(self):
        mount = self.mount_and_read(0)
        self.read(mount)
        other = self.mount("https://github.com/one?tag=1", cache=self.folder / "cache1", name="later",
                           options="refs_ttl=1")
        self.make_tag("4")
        eventually(lambda: "4" in (path.name for path in (other / "one").iterdir()), 30, "the new tag")
        self.assertIn("manifest.json", [path.name for path in (other / "one/4").iterdir()])

    def make_tag(self, tag):
        self.call("git", "--git-dir", self.repositories / "one", "tag", tag)

    def asked_through(self, mirror):
        """The status of a listing that is asked for through this mirror."""
        address = f"http://127.0.0.1:{mirror.port}/github.com/one/info/refs?service=git-upload-pack"
        return self.call("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", address).stdout

    def test_an_origin_with_a_bad_certificate_is_refused(self):
        origin = self.serve(servers.Nginx, self.repositories, tls=True)
        known = origin.certificate.authority
        self.assertEqual("200", self.asked_through(self.serve(Mirror, origin, self.names.address, known)))
        # The system's authorities do not know the test's.
        strict = self.serve(Mirror, origin, self.names.address)
        self.assertEqual("502", self.asked_through(strict))
        self.assertIn("certificate verify error", (strict.folder / "server.log").read_text())
        # A host that the certificate does not name, though it comes from an authority that is trusted.
        other = self.serve(Mirror, origin, self.names.address, known, "elsewhere.example")
        self.assertEqual("502", self.asked_through(other))
        self.assertIn('certificate does not match "elsewhere.example"', (other.folder / "server.log").read_text())

    def test_it_starts_without_dns_and_finds_the_origin_once_there_is_one(self):
        names = self.serve(NameServer)
        mirror = self.serve(Mirror, self.origin, names.address)
        self.assertEqual("502", self.asked_through(mirror))
        healthy = f"http://127.0.0.1:{mirror.port}/healthy"
        self.assertEqual("200", self.call("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", healthy).stdout)
        names.names = ("localhost",)
        eventually(lambda: self.asked_through(mirror) == "200", 40, "the name to be asked for again")

    def test_a_password_is_not_shared(self):
        text = (FOLDER / "mirror" / "nginx.conf").read_text()
        for line in re.findall(r"(?m)^\s*proxy_(?:no_cache|cache_bypass) .*", text):
            self.assertIn("$http_authorization", line)
        self.assertEqual(4, len(re.findall(r"(?m)^\s*proxy_(?:no_cache|cache_bypass) ", text)))
