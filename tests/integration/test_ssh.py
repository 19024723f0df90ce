# SPDX-License-Identifier: Apache-2.0
"""create_stemcell over a real sshd on loopback: what a whole session leaves in the account, and how each trouble is told."""
import contextlib
import json
import os
import re
import signal
import socket

import pytest
from conftest import CPI, ONHOST, account, director_env, run_cpi, wait_until
from ssh_kit import USER, Builder, Relay, Running, descendants, keygen, read, serving, ssh_config_of, write
from test_create_stemcell import created, heavy, image, journals, refused, sha256_of, state_env
from test_kill import alive
from test_secrets import forms

MIB = 1 << 20
BROKEN = r"broke off in the middle|closed the connection|could not start onhost"


@pytest.fixture(scope="module")
def machine_of_all():
    """One for the module: its keys take time."""
    builder = Builder()
    yield builder
    builder.close()


@pytest.fixture
def builder(machine_of_all, lab):  # pylint: disable=redefined-outer-name,unused-argument
    """As it was made, with an empty home of cpi's user."""
    if machine_of_all.changed:
        machine_of_all.reset()
    yield machine_of_all


@pytest.fixture
def clean(lab, tmp_path):
    """Nothing more is in the account at the end than at the start, no journal, no temporary file, no onhost."""
    before = account(lab)
    yield before
    lab.reset()
    assert account(lab) == before
    assert journals(tmp_path) == []
    assert os.listdir(tmp_path / "tmp") == []
    wait_until(lambda: not serving(lab), 30)


@pytest.fixture
def call(lab, builder, tmp_path):
    """call(request, stanza, …): one call of cpi whose aws.stemcell.ssh is that."""
    (tmp_path / "tmp").mkdir()

    def one(request, stanza, env=None, **stemcell):
        config = ssh_config_of(lab, stanza, **stemcell)
        env = state_env(tmp_path) | {"TMPDIR": str(tmp_path / "tmp"), "CPI_LOG_LEVEL": "debug"} | (env or {})
        with builder.entered():
            return run_cpi(lab, request, config, env=env)
    return one


def assert_made(lab, answer, stemcell):
    """The AMI's snapshot holds root.img; and both go again."""
    ami = created(answer)
    snapshot = image(lab, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert sha256_of(lab.snapshot_file(snapshot), stemcell.size) == stemcell.sha256
    created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [ami]}))


# --- whole sessions ---


@pytest.mark.usefixtures("clean")
def test_key_file_and_host_key(lab, builder, stemcell, call):
    """As an unprivileged user, through the real sudo."""
    answer = call(heavy(stemcell), builder.stanza())
    assert_made(lab, answer, stemcell)
    assert f"(ssh: {USER}@127.0.0.1, sudo -n onhost serve, onhost " in answer.stderr
    assert len(re.findall("Accepted publickey for builder", read(builder.log))) == 1


@pytest.mark.usefixtures("clean")
def test_key_of_the_configuration_and_the_users_known_hosts(lab, builder, stemcell, call):
    builder.known_hosts(f"[127.0.0.1]:{builder.port} {builder.host_key}")
    stanza = builder.stanza(private_key_file=None, host_key=None, private_key=read(builder.key))
    assert_made(lab, call(heavy(stemcell), stanza), stemcell)


@pytest.mark.usefixtures("clean")
def test_root_needs_no_sudo(lab, builder, stemcell, call):
    builder.program("sudo", "echo sudo was started >&2; exit 1")
    answer = call(heavy(stemcell), builder.stanza(user="root", private_key_file=None, private_key=read(builder.key)))
    assert_made(lab, answer, stemcell)
    assert "(ssh: root@127.0.0.1, onhost serve, " in answer.stderr


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("files, cipher", [
    ("", "aes128-gcm@openssh.com"),
    ("Host 127.0.0.1\n  Ciphers aes256-ctr\n", "aes256-ctr"),
    ("Host 127.0.0.2\n  Ciphers aes256-ctr\n", "aes128-gcm@openssh.com"),
    ("Match user builder\n  Ciphers -aes*-gcm@openssh.com\n", "chacha20-poly1305@openssh.com"),
], ids=["nothing said", "chosen", "chosen for another", "taken away"])
def test_ciphers(lab, builder, stemcell, call, files, cipher):
    """AES-GCM, unless the user's files say something of it."""
    builder.reset("LogLevel DEBUG")
    builder.ssh_config(files)
    assert_made(lab, call(heavy(stemcell), builder.stanza()), stemcell)
    assert set(re.findall(r"kex: \S+ cipher: (\S+)", read(builder.log))) == {cipher}


@pytest.mark.usefixtures("clean")
def test_an_alias_behind_a_jump_host(lab, builder, stemcell, call):
    """Name, port, user, key and the way there are the user's ~/.ssh/config's; what would spoil the session there does not count."""
    builder.known_hosts(f"[127.0.0.1]:{builder.port} {builder.host_key}")
    builder.ssh_config(f"""
Host jump
  HostName 127.0.0.1
  Port {builder.port}
  User root
  IdentityFile {builder.key}
Host stemcells
  HostName 127.0.0.1
  Port {builder.port}
  User {USER}
  IdentityFile {builder.key}
  ProxyJump jump
  RequestTTY force
  RemoteCommand /bin/false
  Compression yes
  ControlMaster auto
  ControlPath {builder.home}/master
  ControlPersist yes
  LogLevel QUIET
  StrictHostKeyChecking no
  LocalForward 127.0.0.1:1 127.0.0.1:1
""")
    answer = call(heavy(stemcell), {"host": "stemcells"})
    assert_made(lab, answer, stemcell)
    log = read(builder.log)
    assert "Accepted publickey for root" in log and "Accepted publickey for builder" in log
    assert not os.path.exists(os.path.join(builder.home, "master"))
    assert "(ssh: stemcells, sudo -n onhost serve, " in answer.stderr


@pytest.mark.usefixtures("clean")
def test_an_agent_of_the_users(lab, builder, stemcell, call, tmp_path):
    import subprocess
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: (tmp_path / "agent").exists())
        env = {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
        subprocess.run(["ssh-add", "-q", builder.key], env=director_env() | env, check=True)
        assert_made(lab, call(heavy(stemcell), builder.stanza(private_key_file=None), env), stemcell)
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.usefixtures("clean")
def test_host_key_as_ssh_keyscan_prints_it(lab, builder, stemcell, call):
    """Another name, several types, comments."""
    other = keygen(os.path.join(builder.folder, "another")).split()[1]
    lines = f"# x:22 SSH-2.0\nother.name ssh-ed25519 {other}\n[other.name]:2222,10.0.0.1 {builder.host_key} root@x\n"
    assert_made(lab, call(heavy(stemcell), builder.stanza(host_key=lines)), stemcell)


# --- auto ---


@pytest.mark.usefixtures("clean")
def test_auto_takes_local_on_the_right_instance(lab, builder, stemcell, call):
    answer = call(heavy(stemcell), builder.stanza(host="nowhere.invalid"), builder="auto")
    assert_made(lab, answer, stemcell)
    assert re.search(r"\(local, as aws.stemcell.builder is auto and this instance can build: \S+onhost serve", answer.stderr)


@pytest.mark.usefixtures("clean")
def test_auto_takes_ssh_where_this_machine_cannot(lab, builder, stemcell, call):
    answer = call(heavy(stemcell), builder.stanza(), builder="auto", onhost_path="/nowhere/onhost")
    assert_made(lab, answer, stemcell)
    assert re.search(r"\(ssh, as aws.stemcell.builder is auto, this machine cannot build \(.*/nowhere/onhost.*\): "
                     rf"{USER}@127.0.0.1, sudo -n onhost serve", answer.stderr)
    assert lab.calls("StartSnapshot") == []


@pytest.mark.usefixtures("clean")
def test_auto_without_either(builder, stemcell, call):
    message = refused(call(heavy(stemcell), {}, builder="auto", onhost_path="/nowhere/onhost"), "/nowhere/onhost")
    assert "aws.stemcell.builder is auto, and this machine cannot build" in message
    message = refused(call(heavy(stemcell), builder.stanza(host="nowhere.invalid"), builder="auto", onhost_path="/nowhere/onhost"),
                      "host name is not known")
    assert "this machine cannot build (" in message and "/nowhere/onhost" in message


# --- each trouble its own message ---


def no_ssh(builder, tmp_path):
    import shutil
    os.makedirs(tmp_path / "few")
    for name in ("unshare", "sh", "mkdir", "mount"):
        os.symlink(shutil.which(name), tmp_path / "few" / name)
    return {}, {"PATH": str(tmp_path / "few")}


def no_name(builder, tmp_path):
    return {"host": "nowhere.invalid"}, {}


def nobody_listens(builder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return {"port": port}, {}


def another_host_key(builder, tmp_path):
    return {"host_key": " ".join(keygen(str(tmp_path / "another")).split()[:2])}, {}


def another_type_of_host_key(builder, tmp_path):
    import subprocess
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "another")], check=True)
    return {"host_key": read(tmp_path, "another.pub")}, {}


def unknown_host_key_of_a_jump_host(builder, tmp_path):
    builder.ssh_config(f"Host *\n  ProxyCommand ssh -F none -o BatchMode=yes -i {builder.key} -p {builder.port} 127.0.0.1 -W %h:%p\n")
    return {}, {}


def another_host_key_in_known_hosts(builder, tmp_path):
    builder.known_hosts(f"[127.0.0.1]:{builder.port} " + keygen(str(tmp_path / "another")))
    return {"host_key": None}, {}


def unknown_host_key(builder, tmp_path):
    return {"host_key": None}, {}


def unknown_host_key_that_a_file_would_let_pass(builder, tmp_path):
    builder.ssh_config("Host *\n  StrictHostKeyChecking no\n  NoHostAuthenticationForLocalhost yes\n")
    return {"host_key": None}, {}


def a_known_host_that_is_not_the_configured_one(builder, tmp_path):
    builder.known_hosts(f"[127.0.0.1]:{builder.port} {builder.host_key}")
    return another_host_key(builder, tmp_path)


def another_user(builder, tmp_path):
    return {"user": "nobody"}, {}


def another_key(builder, tmp_path):
    return {"private_key_file": None, "private_key": read(builder.other_key)}, {}


def key_file_for_all(builder, tmp_path):
    return {"private_key_file": write(tmp_path, "key", read(builder.key), mode=0o644)}, {}


def key_file_with_a_passphrase(builder, tmp_path):
    keygen(str(tmp_path / "key"), "-N", "passphrase")
    return {"private_key_file": str(tmp_path / "key")}, {}


def key_with_a_passphrase(builder, tmp_path):
    keygen(str(tmp_path / "key"), "-N", "passphrase")
    return {"private_key_file": None, "private_key": read(tmp_path, "key")}, {}


def key_that_is_cut(builder, tmp_path):
    return {"private_key_file": None, "private_key": read(builder.key)[:200]}, {}


def no_sudo(builder, tmp_path):
    builder.reset(f"SetEnv PATH={builder.folder}/bin")
    return {}, {}


def sudo_wants_a_password(builder, tmp_path):
    builder.sudoers(f"{USER} ALL=(root) ALL")
    return {}, {}


def sudo_allows_something_else(builder, tmp_path):
    builder.sudoers(f"{USER} ALL=(root) NOPASSWD: /usr/bin/true")
    return {}, {}


def not_in_sudoers(builder, tmp_path):
    builder.sudoers("")
    return {}, {}


def no_onhost(builder, tmp_path):
    """sudo is asked for env, because of the lab: the real command is asked for below."""
    builder.program("sudo", 'echo "sudo: onhost: command not found" >&2; exit 1')
    return {}, {}


def no_onhost_for_root(builder, tmp_path):
    return {"user": "root", "onhost_path": "/opt/nowhere/onhost"}, {}


def onhost_of_another_kind(builder, tmp_path):
    builder.program("onhost", "exit 0\n")
    os.chmod(os.path.join(builder.folder, "bin", "onhost"), 0o644)
    return {"user": "root", "onhost_path": f"{builder.folder}/bin/onhost"}, {}


def another_version(builder, tmp_path):
    builder.program("onhost", 'read hello; echo \'{"ok":"hello","version":7,"release":"9.9","instance_id":"","region":"",'
                              '"availability_zone":"","architecture":"","metadata_error":""}\'\n')
    return {"user": "root"}, {}


def a_banner(builder, tmp_path):
    write(builder.home, ".bashrc", "echo; echo 'Welcome to the builder!'\n")
    return {"user": "root"}, {}


def a_forced_command(builder, tmp_path):
    write(builder.folder, f"authorized_keys.{USER}", f'command="echo only backups here" {builder.public}\n')
    return {}, {}


def another_subsystem(builder, tmp_path):
    builder.reset("ForceCommand /usr/sbin/nologin")
    return {}, {}


def too_many_keys(builder, tmp_path):
    builder.reset("MaxAuthTries 1")
    builder.ssh_config(f"Host *\n  IdentityFile {builder.other_key}\n  IdentitiesOnly yes\n  IdentityFile {builder.key}\n")
    return {"private_key_file": None}, {}


def a_bad_option(builder, tmp_path):
    builder.ssh_config("Host *\n  Nonsense yes\n")
    return {}, {}


def no_common_cipher(builder, tmp_path):
    builder.reset("Ciphers aes256-ctr")
    builder.ssh_config("Host *\n  Ciphers aes128-ctr\n")
    return {}, {}


def a_jump_host_that_is_not_there(builder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    builder.ssh_config(f"Host *\n  ProxyCommand ssh -F none -p {port} 127.0.0.1 -W %h:%p\n")
    return {}, {}


TROUBLES = [
    (no_ssh, "cannot start ssh: there is no such program in PATH; install it"),
    (no_name, "host name is not known: correct aws.stemcell.ssh.host"),
    (nobody_listens, "refuses the connection: start sshd there"),
    (another_host_key, "host key is not the one of aws.stemcell.ssh.host_key"),
    (another_type_of_host_key, "host key is not the one of aws.stemcell.ssh.host_key"),
    (unknown_host_key_of_a_jump_host, "a host key is not known.*jump host"),
    (another_host_key_in_known_hosts, "host key is not the one that is known"),
    (unknown_host_key, "host key is not known: set aws.stemcell.ssh.host_key"),
    (unknown_host_key_that_a_file_would_let_pass, "host key is not known: set aws.stemcell.ssh.host_key"),
    (a_known_host_that_is_not_the_configured_one, "host key is not the one of aws.stemcell.ssh.host_key"),
    (another_user, "does not let us in: the user is another one or the key is not in its authorized_keys"),
    (another_key, "does not let us in"),
    (key_file_for_all, "refuses a private key file that others can read: chmod 600"),
    (key_file_with_a_passphrase, "does not let us in: .*a file with a passphrase is passed over, unless an ssh-agent holds its key"),
    (key_with_a_passphrase, "aws.stemcell.ssh.private_key is protected by a passphrase"),
    (key_that_is_cut, "aws.stemcell.ssh.private_key (cannot be read|is not a private key)"),
    (no_sudo, "there is no sudo on the builder"),
    (sudo_wants_a_password, "sudo on the builder wants a password: give the user an entry in sudoers"),
    (sudo_allows_something_else, "sudo on the builder (refuses|wants a password): give the user an entry in sudoers"),
    (not_in_sudoers, "sudo on the builder (refuses|wants a password): give the user an entry in sudoers"),
    (no_onhost, "there is no onhost on the builder, or not where sudo looks"),
    (no_onhost_for_root, "there is no onhost on the builder: install it there"),
    (onhost_of_another_kind, "the builder cannot start onhost"),
    (another_version, r"onhost 9[.]9 speaks version 7 of the session and cpi [0-9.]+ version 1: install both from one release"),
    (a_banner, 'the first line that came is "Welcome to the builder!": either something else prints'),
    (a_forced_command, 'the first line that came is "only backups here": .* something else was started in its place'),
    (another_subsystem, 'the first line that came is "This account is currently not available.'),
    (too_many_keys, "lost patience with keys that do not fit"),
    (a_bad_option, "ssh refuses an option: correct ~/.ssh/config"),
    (no_common_cipher, "no algorithm in common"),
    (a_jump_host_that_is_not_there, "refuses the connection"),
]


@pytest.mark.parametrize("trouble, says", TROUBLES, ids=lambda v: getattr(v, "__name__", ""))
def test_trouble(lab, builder, stemcell, call, tmp_path, clean, trouble, says):
    """Before anything is made; and the same through cpi check."""
    builder.changed = True
    lab.forget_calls()
    stanza, env = trouble(builder, tmp_path)
    answer = call(heavy(stemcell), builder.stanza(**stanza), env)
    message = refused(answer, says)
    assert "stemcell builder (" in message or "aws.stemcell.ssh.private_key" in message
    assert [c["action"] for c in lab.calls()] == []
    for key in (builder.key, builder.other_key):
        for line in read(key).splitlines()[1:-1]:
            assert line not in answer.stdout + answer.stderr


def test_a_key_file_with_a_passphrase_that_an_agent_holds(lab, builder, stemcell, call, clean, tmp_path):
    """Only that key is offered."""
    import subprocess
    subprocess.run(["cp", builder.key, tmp_path / "key"], check=True)
    subprocess.run(["cp", builder.key + ".pub", tmp_path / "key.pub"], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: (tmp_path / "agent").exists())
        env = {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
        for each in (builder.other_key, builder.key):
            subprocess.run(["ssh-add", "-q", each], env=director_env() | env, check=True)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", tmp_path / "key"], check=True, stdout=subprocess.DEVNULL)
        builder.reset("MaxAuthTries 1")
        assert_made(lab, call(heavy(stemcell), builder.stanza(private_key_file=str(tmp_path / "key")), env), stemcell)
    finally:
        agent.terminate()
        agent.wait()


def test_the_documented_sudoers_line(lab, builder, stemcell, call, clean):
    """Without the lab's additions the command is the one that docs/builders.md lets through, and nothing else is: that there is no
    metadata service is said by onhost."""
    builder.changed = True
    line = re.search(r"(?m)^ +(\w+ ALL=\(root\) NOPASSWD: \S+onhost serve)$", read(os.path.dirname(__file__), "../../docs/builders.md"))
    path = f"{builder.folder}/bin/onhost"
    builder.sudoers(re.sub(r"^\w+", USER, line.group(1)).replace("/usr/local/bin/onhost", path))
    for onhost_path in (None, path):
        answer = call(heavy(stemcell), builder.stanza(onhost_path=onhost_path), lab=False)
        refused(answer, f"{USER}@127.0.0.1 does not look like an EC2 instance|is in region")
        assert "onhost: " in answer.stderr or "metadata" in answer.stdout
    with builder.entered():
        import shlex
        import subprocess
        prefix = shlex.split(os.environ["CPI_WRAPPER"])
    for command in (["onhost", "write", "--help"], ["onhost", "serve", "--lab"], ["env", "onhost", "serve"]):
        done = subprocess.run([*prefix, "setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "sudo", "-n", *command],
                              input="", capture_output=True, text=True, check=False)
        assert done.returncode == 1 and re.search("password is required|not allowed", done.stderr), done


def test_a_key_that_may_do_this_alone(lab, builder, stemcell, call, clean):
    """The page's line of authorized_keys, with the lab's additions: sshd starts its command, whatever is asked for."""
    builder.changed = True
    line = re.search(r'(?m)^ +(restrict,command="sudo -n onhost serve") ssh-', read(os.path.dirname(__file__), "../../docs/builders.md")).group(1)
    devices = f" --lab-devices {lab.dir}/dev" if lab.kind == "plain" else ""
    ours = f"env AWS_EC2_METADATA_SERVICE_ENDPOINT={lab.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']} onhost serve --lab{devices}"
    write(builder.folder, f"authorized_keys.{USER}", f"{line.replace('onhost serve', ours)} {builder.public}\n")
    assert_made(lab, call(heavy(stemcell), builder.stanza(onhost_path="/anything")), stemcell)


def test_each_explanation_is_on_the_page():
    """docs/builders.md has a line for each, by its first words."""
    rows = re.findall(r'\{ [A-Z_0-9]+, [A-Z_]+, [A-Z_]+, "[^"]*",\s+"([^"]+)"', read(os.path.dirname(__file__), "../../cpi/builder/ssh_words.c"))
    page = read(os.path.dirname(__file__), "../../docs/builders.md")
    assert len(rows) >= 30
    for row in rows:
        assert f"\n| {re.split('[:;]', row)[0].strip()} |" in page, row


def test_no_onhost_and_the_real_sudo(builder, stemcell, call, clean):
    builder.program("onhost", None)
    refused(call(heavy(stemcell), builder.stanza(), lab=False), "there is no onhost on the builder, or not where sudo looks")


def test_another_region_over_there(builder, stemcell, call, clean, lab):
    config = ssh_config_of(lab, builder.stanza())
    config["cloud"]["properties"]["aws"]["region"] = "eu-central-1"
    with builder.entered():
        message = refused(run_cpi(lab, heavy(stemcell), config), rf"{USER}@127.0.0.1 \(i-\w+\) is in region us-east-1, aws.region is eu-cen")
    assert "build on an instance in eu-central-1" in message
    lab.imds(mode="off")
    refused(call(heavy(stemcell), builder.stanza()), f"{USER}@127.0.0.1 does not look like an EC2 instance")


def test_a_server_that_says_nothing(builder, stemcell, call, clean):
    """Within ssh's time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused(call(heavy(stemcell), builder.stanza(port=silent.getsockname()[1])), "did not answer in time")


# --- the connection is cut ---


class Volume:
    """The volume of a running create_stemcell, held open: its contents can be seen after it is deleted."""

    def __init__(self, lab, running):
        self.id = running.sees(r"created volume (vol-\w+)").group(1)
        self._file = open(lab.volume_file(self.id), "rb")  # pylint: disable=consider-using-with

    def starts_blank(self):
        """Whether the first MiB is all zeros; and closes it."""
        with self._file:
            return not any(self._file.read(MIB))

    def has_data(self):
        """Whether there is anything at all."""
        return os.fstat(self._file.fileno()).st_blocks > 0


@pytest.fixture(scope="module")
def whole(machine_of_all, session_lab, stemcell, tmp_path_factory):
    """The bytes that go up before the image, and with it."""
    if machine_of_all.changed:
        machine_of_all.reset()
    relay = Relay(machine_of_all.port)
    running = Running(session_lab, machine_of_all, ssh_config_of(session_lab, machine_of_all.stanza(port=relay.port)),
                      tmp_path_factory.mktemp("whole"))
    running.send(heavy(stemcell))
    answer = json.loads(running.end())
    assert answer["error"] is None
    relay.close()
    created(run_cpi(session_lab, {"method": "delete_stemcell", "arguments": [answer["result"]]}))
    size = os.path.getsize(stemcell.image)
    return relay.up - size * 1.001, size


@pytest.mark.parametrize("place", [
    "at once", "in the first line", "in the key exchange", "in the authentication", "before the session", "before the image", 0.02, 0.25, 0.5,
    0.75, 0.97])
def test_cut(lab, builder, stemcell, tmp_path, clean, whole, place):
    """Both ends are reset when so many bytes have come from cpi; a number is the part of the image that has gone out."""
    before_image, size = whole
    at = {"at once": 0, "in the first line": 5, "in the key exchange": 1000, "in the authentication": 2200, "before the session": 3200,
          "before the image": before_image - 100}
    relay = Relay(builder.port, cut_at=int(at[place] if place in at else before_image + place * size))
    running = Running(lab, builder, ssh_config_of(lab, builder.stanza(port=relay.port)), tmp_path)
    running.send(heavy(stemcell))
    volume = Volume(lab, running) if place not in at or place == "before the image" else None
    answer = running.end()
    relay.close()
    error = json.loads(answer)["error"]
    assert error is not None and re.search(BROKEN, error["message"]), answer
    assert "left behind" not in answer
    if volume is not None:
        assert "broke off in the middle" in error["message"]
        wait_until(lambda: not serving(lab), 30)
        assert volume.starts_blank()


def test_the_servers_process_is_killed(lab, builder, stemcell, tmp_path, clean):
    """While the relay holds back what follows, so that it is in the middle."""
    relay = Relay(builder.port, cut_at=2 * MIB, silent=True)
    running = Running(lab, builder, ssh_config_of(lab, builder.stanza(port=relay.port)), tmp_path)
    running.send(heavy(stemcell))
    volume = Volume(lab, running)
    running.sees(r"volume vol-\w+ is /dev/")
    wait_until(volume.has_data, 30)
    for child in builder.children():
        for each in [child, *(p for p in descendants(child) if b"sshd" in open(f"/proc/{p}/cmdline", "rb").read())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
    relay.cut()
    answer = running.end()
    relay.close()
    assert "broke off in the middle" in answer and "left behind" not in answer, answer
    wait_until(lambda: not serving(lab), 30)
    assert volume.starts_blank()


def test_ssh_is_killed(lab, builder, stemcell, tmp_path, clean):
    relay = Relay(builder.port, cut_at=2 * MIB, silent=True)
    running = Running(lab, builder, ssh_config_of(lab, builder.stanza(port=relay.port)), tmp_path)
    running.send(heavy(stemcell))
    volume = Volume(lab, running)
    running.sees(r"volume vol-\w+ is /dev/")
    os.kill(next(p for p in descendants(running.pid) if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "ssh"), signal.SIGKILL)
    answer = running.end()
    relay.close()
    assert "was killed by signal 9" in answer and "left behind" not in answer, answer
    wait_until(lambda: not serving(lab), 30)
    assert volume.starts_blank()


# --- cpi is stopped, killed ---


def held_back(lab, builder, stemcell, tmp_path):
    """A cpi with its key in an agent, in the middle of an image that does not get on."""
    relay = Relay(builder.port, cut_at=2 * MIB, silent=True)
    stanza = builder.stanza(port=relay.port, private_key_file=None, private_key=read(builder.key))
    running = Running(lab, builder, ssh_config_of(lab, stanza), tmp_path)
    running.send(heavy(stemcell))
    volume = Volume(lab, running)
    running.sees(r"volume vol-\w+ is /dev/")
    return relay, running, volume


def test_cpi_is_stopped(lab, builder, stemcell, tmp_path, clean):
    relay, running, volume = held_back(lab, builder, stemcell, tmp_path)
    below = descendants(running.pid)
    os.kill(running.pid, signal.SIGTERM)
    answer = running.end()
    relay.close()
    assert "stopped by signal 15" in answer and "left behind" not in answer, answer
    wait_until(lambda: not any(alive(p) for p in below), 30)
    wait_until(lambda: not serving(lab), 30)
    assert volume.starts_blank()


def test_cpi_is_killed(lab, builder, stemcell, tmp_path):
    """The agent ends, no key is left, onhost ends; a sweep does the rest."""
    import subprocess
    before = account(lab)
    relay, running, volume = held_back(lab, builder, stemcell, tmp_path)
    folder = next(iter(os.listdir(running.tmp)))
    socket_path = os.path.join(running.tmp, folder, "agent")
    assert os.path.exists(socket_path)
    below = descendants(running.pid)
    agents = [p for p in below if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "ssh-agent"]
    assert len(agents) == 1
    os.kill(running.pid, signal.SIGKILL)
    running.process.wait()
    wait_until(lambda: not alive(agents[0]), 30)
    assert not os.path.exists(socket_path)
    # the connection does not get on, so that ssh would be here until its keepalives have failed
    relay.close()
    wait_until(lambda: not any(alive(p) for p in below), 30)
    wait_until(lambda: not serving(lab), 30)
    assert volume.starts_blank()
    key = read(builder.key).splitlines()
    for path, _, names in os.walk(running.tmp):
        assert os.stat(path).st_mode & 0o77 == 0 or path == running.tmp
        for name in names:
            assert key[1] not in read(path, name)
    swept = subprocess.run([CPI, "sweep", "--delete", lab.config_path], env=state_env(tmp_path), capture_output=True, text=True, check=False)
    assert swept.returncode == 0 and volume.id in swept.stdout, swept.stdout + swept.stderr
    assert account(lab) == before


# --- secrets ---


def test_the_key_is_nowhere_to_be_seen(lab, builder, stemcell, tmp_path, clean):
    """Neither in the arguments and variables of any process, nor in files, nor in the log."""
    relay, running, volume = held_back(lab, builder, stemcell, tmp_path)
    lines = read(builder.key).splitlines()[1:-1]
    secrets = [form.encode() for line in lines if len(line) >= 8 for form in forms(line)]
    assert len(secrets) >= 4
    looked_at = 0
    for pid in [running.pid, *descendants(running.pid)]:
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                text = f.read()
            looked_at += len(text) > 0
            assert not any(secret in text for secret in secrets), (pid, name)
    assert looked_at >= 6
    seen = 0
    for path, _, names in os.walk(tmp_path):
        for name in names:
            if os.path.isfile(os.path.join(path, name)):
                seen += 1
                assert not any(secret.decode() in read(path, name) for secret in secrets), (path, name)
    assert seen >= 1
    relay.close()
    answer = running.end()
    volume.starts_blank()
    assert "broke off in the middle" in answer
    assert not any(secret.decode() in answer + running.log for secret in secrets)


def test_keys_for_aws_do_not_travel(lab, builder, stemcell, call, clean):
    """Neither to ssh nor to the other machine."""
    config = ssh_config_of(lab, builder.stanza(user="root"))
    builder.program("onhost", f"env > {builder.folder}/seen; exec {ONHOST} \"$@\"\n")
    builder.program("ssh", f"env > {builder.folder}/seen.ssh; exec /usr/bin/ssh \"$@\"\n")
    builder.ssh_config("Host *\n  SendEnv AWS_* LC_*\n")
    builder.reset("AcceptEnv *")
    config = builder.stanza(user="root")
    env = {"AWS_SECRET_ACCESS_KEY": "hush-hush-hush", "AWS_SESSION_TOKEN": "hush-hush", "LC_ALL": "de_DE.UTF-8",
           "PATH": f"{builder.folder}/bin:{director_env()['PATH']}"}
    assert_made(lab, call(heavy(stemcell), config, env), stemcell)
    for name in ("seen", "seen.ssh"):
        seen = read(builder.folder, name)
        assert "PATH=" in seen and "hush" not in seen and "de_DE" not in seen


# --- the driver ---


def test_the_driver_measures_any_way_there(builder, stemcell, tmp_path):
    """tests/tools/session_driver: the same session by a given command, here and through ssh."""
    import subprocess
    volume = "vol-0123456789abcdef0"
    device = tmp_path / ("nvme-Amazon_Elastic_Block_Store_" + volume.replace("-", ""))
    here = ["env", "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1", ONHOST, "serve", "--lab", "--lab-devices", str(tmp_path)]
    ssh = ["ssh", "-F", "none", "-i", builder.key, "-p", str(builder.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    driver = os.path.join(os.environ.get("BUILD_DIR") or os.path.join(os.path.dirname(CPI)), "tests", "session_driver")
    for command in (here, [*ssh, "root@127.0.0.1", " ".join(here)]):
        with open(device, "wb") as f:
            f.truncate(1 << 30)
        done = subprocess.run([driver, stemcell.image, volume, "1024", "--", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["read"] == os.path.getsize(stemcell.image) and told["image_size"] == stemcell.size
        assert told["write_seconds"] > 0 and told["hello_seconds"] > 0
        assert sha256_of(device, stemcell.size) == stemcell.sha256
    done = subprocess.run([driver, stemcell.image, volume, "1024", "--", "false"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "exited with status 1" in done.stderr and done.stdout == ""


# --- check ---


def test_check(lab, builder, tmp_path):
    import subprocess

    def check(stanza, **stemcell):
        path = write(tmp_path, "cpi.json", json.dumps(ssh_config_of(lab, stanza, **stemcell)))
        with builder.entered():
            import shlex
            prefix = shlex.split(os.environ["CPI_WRAPPER"])
        done = subprocess.run([*prefix, CPI, "check", path, "--json"], env=state_env(tmp_path) | {"AWS_ENDPOINT_URL": lab.endpoint}, capture_output=True, text=True, check=False)
        return next(c for c in json.loads(done.stdout)["checks"] if c["name"] == "builder")

    line = check(builder.stanza())
    assert line["state"] == "ok", line
    assert re.fullmatch(rf"ssh: {USER}@127.0.0.1, sudo -n onhost serve: onhost \S+ answers, on {lab.builder} in us-east-1a, of the same "
                        "account", line["text"])
    line = check(builder.stanza(user="nobody"))
    assert line["state"] == "failed" and "does not let us in" in line["text"] and "aws.stemcell.ssh must lead to" in line["advice"]
    line = check(builder.stanza(), builder="auto")
    assert line["state"] == "ok" and line["text"].startswith("local, as aws.stemcell.builder is auto")
    # an instance of another account: EC2 does not show it
    lab.faults({"action": "DescribeInstances", "kind": "not_found", "count": -1})
    line = check(builder.stanza())
    assert line["state"] == "failed" and f"has no instance {lab.builder}" in line["text"]
