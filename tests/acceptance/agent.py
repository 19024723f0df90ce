# SPDX-License-Identifier: Apache-2.0
"""A stand-in for BOSH's agent on the lab's VM: the HTTPS endpoint at the VM's address that `bosh create-env` talks to. It answers only
while EC2 has such a VM, by the user and password that the VM's user data holds, and mounts only what EC2 has attached. Not an agent: it
starts no jobs, and what it compiles is not compiled."""
import base64
import hashlib
import http.server
import io
import json
import ssl
import tarfile
import threading
import urllib.parse


class Refused(Exception):
    """What an agent answers as its exception."""


class Machine:
    """What one VM's agent knows; a new VM has a new one."""

    def __init__(self, instance_id, settings):
        self.instance_id = instance_id
        self.settings = settings
        self.hints = {}
        self.mounted = []
        self.spec = {}
        self.started = False
        self.scripts = []


class Agent:
    """The endpoint, and the record of what it was asked."""

    def __init__(self, ec2, address, certificate_file, meanwhile):
        self.ec2 = ec2
        self.meanwhile = meanwhile  # called with each message
        self.address = address
        self.machine = None
        self.asked = []
        self.jobs = {}  # job: its files, of the last archive that was applied
        self._blobs = {}
        self._tasks = {}
        self._lock = threading.Lock()
        self._server = _Server((address, 6868), certificate_file, self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    # --- the VM ---

    def find_machine(self):
        """The VM that runs at this address, or None."""
        found = self.ec2.describe_instances(Filters=[{"Name": "private-ip-address", "Values": [self.address]},
                                                     {"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
        if not found:
            return None
        instance_id = found[0]["Instances"][0]["InstanceId"]
        if self.machine is None or self.machine.instance_id != instance_id:
            value = self.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")["UserData"]["Value"]
            self.machine = Machine(instance_id, json.loads(base64.b64decode(value)))
        return self.machine

    def may(self, authorization):
        """Whether these are the user and password of the message bus that the VM was told."""
        parts = urllib.parse.urlsplit(self.machine.settings["mbus"])
        wanted = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password)}"
        return authorization == "Basic " + base64.b64encode(wanted.encode()).decode()

    def _device_of(self, disk):
        volume = self.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]
        for attachment in volume["Attachments"]:
            if attachment["InstanceId"] == self.machine.instance_id and attachment["State"] == "attached":
                return attachment["Device"]
        raise Refused(f"{disk} is not attached to {self.machine.instance_id}")

    # --- the protocol ---

    def answer(self, method, arguments):
        """The value of a message; what takes time is a task to ask for again."""
        with self._lock:
            self.asked.append(method)
            self.meanwhile()
            if method == "get_task":
                return self._look_at(arguments[0])
            action = getattr(self, "do_" + method, None)
            if action is None:
                raise Refused(f"unknown message {method}")
            if method in ("ping", "get_state", "start", "list_disk"):
                return action(*arguments)
            task = f"task-{len(self._tasks)}"
            self._tasks[task] = [action(*arguments), 1]
            return {"agent_task_id": task, "state": "running"}

    def _look_at(self, task):
        value, looks = self._tasks[task]
        if looks > 0:
            self._tasks[task][1] -= 1
            return {"agent_task_id": task, "state": "running"}
        return value

    def do_ping(self):
        """It is there."""
        return "pong"

    def do_get_state(self):
        """What runs, and the networks with their addresses."""
        networks = {name: dict(facts, ip=self.address) for name, facts in self.machine.settings["networks"].items()}
        return {"job_state": "running" if self.machine.started else "stopped", "networks": networks}

    def do_apply(self, spec):
        """The jobs, which must be in the blobstore as they are described."""
        archive = spec.get("rendered_templates_archive") or {}
        if archive.get("blobstore_id"):
            data = self._checked(archive["blobstore_id"], archive["sha1"])
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                self.jobs = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()}
        for package in (spec.get("packages") or {}).values():
            self._checked(package["blobstore_id"], package["sha1"])
        self.machine.spec = spec
        return "applied"

    def do_start(self):
        """Once jobs were applied."""
        if not self.machine.spec.get("rendered_templates_archive"):
            raise Refused("there is nothing to start")
        self.machine.started = True
        return "started"

    def do_stop(self):
        """Nothing runs."""
        self.machine.started = False
        return "stopped"

    def do_drain(self, *_):
        """Done at once."""
        return 0

    def do_run_script(self, name, _options):
        """No job of ours has any of them."""
        self.machine.scripts.append(name)
        return {}

    def do_add_persistent_disk(self, disk, hint):
        """Where attach_disk said that it is, it must be."""
        # its name on Xen, or the link that a stemcell makes for an NVMe disk
        places = [self._device_of(disk), "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + disk.replace("-", "")]
        if hint not in places:
            raise Refused(f"{disk} is at {' or '.join(places)}, and attach_disk said {hint}")
        self.machine.hints[disk] = hint
        return "added"

    def do_mount_disk(self, disk):
        """Of those that were added."""
        if disk not in self.machine.hints:
            raise Refused(f"nobody said where {disk} is")
        self._device_of(disk)
        if disk not in self.machine.mounted:
            self.machine.mounted.append(disk)
        return {}

    def do_unmount_disk(self, disk):
        """Of those that are mounted."""
        self.machine.mounted.remove(disk)
        return {"message": f"Unmounted {disk}"}

    def do_list_disk(self):
        """What is mounted."""
        return list(self.machine.mounted)

    def do_compile_package(self, blob, digest, name, version, _dependencies):
        """The source must be there as it is described; something stands for what would come of it."""
        self._checked(blob, digest)
        data = f"{name} {version}".encode()
        self._blobs[f"compiled-{name}"] = data
        return {"result": {"blobstore_id": f"compiled-{name}", "sha1": hashlib.sha1(data).hexdigest()}}

    # --- the blobstore ---

    def put_blob(self, path, data):
        """A blob is named by the path's last part."""
        with self._lock:
            self._blobs[path.rsplit("/", maxsplit=1)[-1]] = data

    def get_blob(self, path):
        """None where there is none."""
        with self._lock:
            return self._blobs.get(path.rsplit("/", maxsplit=1)[-1])

    def _checked(self, blob, digest):
        data = self._blobs.get(blob)
        if data is None:
            raise Refused(f"there is no blob {blob}")
        kind, _, wanted = digest.rpartition(":")
        if hashlib.new(kind or "sha1", data).hexdigest() != wanted:
            raise Refused(f"the blob {blob} has another digest than {digest}")
        return data


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, certificate_file, agent):
        super().__init__(address, _Handler)
        self.agent = agent
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate_file)

    def finish_request(self, request, client_address):
        """The handshake in the connection's own thread."""
        request.settimeout(60)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            pass  # whoever hangs up is heard of by his own words


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _say(self, status, data=b"", kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _serve(self):
        body = self._body()
        agent = self.server.agent
        if agent.find_machine() is None:
            return self._say(503, b"no VM has this address")
        if not agent.may(self.headers.get("Authorization")):
            return self._say(401)
        if self.path == "/agent" and self.command == "POST":
            return self._message(json.loads(body))
        if self.path.startswith("/blobs/") and self.command == "PUT":
            agent.put_blob(self.path, body)
            return self._say(201)
        data = agent.get_blob(self.path)
        return self._say(404) if data is None else self._say(200, data)

    def _message(self, message):
        try:
            answer = {"value": self.server.agent.answer(message["method"], message["arguments"])}
        except Refused as refusal:
            answer = {"exception": {"message": str(refusal)}}
        self._say(200, json.dumps(answer).encode(), "application/json")

    do_POST = do_GET = do_HEAD = do_PUT = _serve
