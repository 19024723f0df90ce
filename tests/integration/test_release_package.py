# SPDX-License-Identifier: Apache-2.0
"""The BOSH package: its sources by checksum, and what its script builds on a machine without -dev packages (package_kit.py)."""
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.parse

import package_kit
import pytest
from conftest import ROOT, director_env, request_bytes
from package_kit import COMPILE, INSTALL
from test_tls import Authority
from wire_kit import Front
from cryptography import x509

FETCH = os.path.join(ROOT, "packaging", "bosh", "fetch-sources")
CONTENT = b"an archive\n" * 5000

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("release-package")]


# --- sources ---

class Pool(http.server.BaseHTTPRequestHandler):
    """A server that is also a proxy: .files by URL or path, (status, bytes); .asked in order."""
    files, asked = {}, []

    def do_GET(self):  # pylint: disable=invalid-name
        """One file, or the rest of it."""
        path = urllib.parse.urlparse(self.path)
        self.asked.append(self.path)
        status, content = self.files.get(self.path, self.files.get(path.path, (404, b"")))
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if status == 200 and start and int(start[1]) < len(content):
            status, content = 206, content[int(start[1]):]
            self.send_response(status)
            self.send_header("Content-Range", f"bytes {start[1]}-{int(start[1]) + len(content) - 1}/*")
        elif status == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:len(content) // 2])
            self.files[path.path] = (200, content)
            return
        else:
            self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Nothing on the terminal."""


@pytest.fixture
def pool():
    """The server, with nothing on it."""
    Pool.files, Pool.asked = {}, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pool)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(tmp_path, url, content=CONTENT, **env):
    """fetch-sources for a list with this one archive."""
    listed = tmp_path / "list"
    listed.write_text(f"# a list\nthing 1.0 source {hashlib.sha256(content).hexdigest()} {url}\n")
    return subprocess.run([FETCH, "-l", str(listed), str(tmp_path / "got")], capture_output=True, text=True, timeout=120,
                          check=False, env={"PATH": os.environ["PATH"], **env})


def test_a_source_is_fetched_once(pool, tmp_path):
    Pool.files["/thing.tar.xz"] = (200, CONTENT)
    for _ in range(2):
        done = fetch(tmp_path, pool.url + "/thing.tar.xz")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "got" / "thing.tar.xz").read_bytes() == CONTENT
    assert len(Pool.asked) == 1


def test_a_source_that_is_not_the_one_is_refused_by_name(pool, tmp_path):
    Pool.files["/thing.tar.xz"] = (200, CONTENT[:-1] + b"!")
    done = fetch(tmp_path, pool.url + "/thing.tar.xz")
    assert done.returncode == 1
    assert "cannot have thing.tar.xz with the SHA-256 " + hashlib.sha256(CONTENT).hexdigest() in done.stderr
    assert pool.url + "/thing.tar.xz: 55000 bytes, and their SHA-256 is not the one in the list" in done.stderr
    assert os.listdir(tmp_path / "got") == []


def test_what_lies_there_is_looked_at_too(pool, tmp_path):
    Pool.files["/thing.tar.xz"] = (200, CONTENT)
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "thing.tar.xz").write_bytes(CONTENT[:100])
    done = fetch(tmp_path, pool.url + "/thing.tar.xz")
    assert done.returncode == 0 and "thing.tar.xz is not the one in the list" in done.stderr
    assert (tmp_path / "got" / "thing.tar.xz").read_bytes() == CONTENT


def test_a_download_that_broke_off_goes_on(pool, tmp_path):
    Pool.files["/thing.tar.xz"] = ("cut", CONTENT)
    done = fetch(tmp_path, pool.url + "/thing.tar.xz")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "got" / "thing.tar.xz").read_bytes() == CONTENT
    assert len(Pool.asked) == 2


def test_the_security_pool_has_a_second_name(pool, tmp_path):
    path = "/debian-security/pool/updates/main/t/thing/thing.tar.xz"
    Pool.files["http://security.debian.org" + path] = (200, CONTENT)
    done = fetch(tmp_path, "http://deb.debian.org" + path, http_proxy=pool.url)
    assert done.returncode == 0, done.stderr
    assert Pool.asked == ["http://deb.debian.org" + path, "http://security.debian.org" + path]


def test_a_source_that_nobody_has(pool, tmp_path):
    done = fetch(tmp_path, "http://deb.debian.org/debian/pool/main/t/thing/thing.tar.xz", http_proxy=pool.url,
                 https_proxy=pool.url)
    assert done.returncode == 1 and os.listdir(tmp_path / "got") == []
    for url in ("http://deb.debian.org/debian/pool/main/t/thing/thing.tar.xz: ",
                "https://snapshot.debian.org/archive/debian/"):
        assert url in done.stderr


def test_a_line_of_the_list_that_is_wrong(tmp_path):
    listed = tmp_path / "list"
    listed.write_text("thing 1.0 source abc http://127.0.0.1:1/thing\n")
    done = subprocess.run([FETCH, "-l", str(listed), str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "want 'name version role sha256 url'" in done.stderr


# --- the package ---

@pytest.fixture(scope="module")
def package():
    """The package, built."""
    if os.geteuid() != 0:
        pytest.skip("a root directory of its own takes root")
    return package_kit.built()


def test_the_release_is_the_same_each_time(package, tmp_path):  # pylint: disable=unused-argument
    """Also when an archive is made anew."""
    archives = os.path.join(ROOT, "build", "bosh", "archives")
    for name in os.listdir(archives):
        if name.startswith(("expat-", "zlib-")):
            os.remove(os.path.join(archives, name))
    package_kit.prepared(str(tmp_path / "again"))
    done = subprocess.run(["diff", "-r", package_kit.RELEASE, str(tmp_path / "again")], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_machine_has_no_dev_packages(package):
    """Else the rest would show nothing."""
    listed = package.root.run("dpkg-query", "-W", "-f", "${Package}\n").stdout.decode().split()
    # what a C compiler comes with
    compilers = r"(libc6|libcrypt|libnsl|libtirpc|libgcc-\d+|libstdc\+\+-\d+|libc|dpkg|linux-libc)-dev(-bin)?"
    assert [p for p in listed if "-dev" in p and not re.fullmatch(compilers, p)] == []
    for program in ("pkg-config", "nasm", "gperf", "python3", "cmake", "autoconf", "curl"):
        assert package.root.run("which", program).returncode != 0


def needed(path):
    """The libraries that a program is linked with, and whether it has a symbol table."""
    shown = subprocess.run(["readelf", "-dS", path], capture_output=True, text=True, check=True).stdout
    return sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", shown)), ".symtab" in shown or ".debug_info" in shown


def test_what_is_linked(package):
    glibc = re.compile(r"lib(c|m|pthread|dl)\.so\.\d|ld-linux.*")
    libraries, symbols = needed(package.cpi)
    assert [each for each in libraries if not glibc.fullmatch(each)] == [] and "libc.so.6" in libraries
    assert not symbols
    libraries, symbols = needed(package.onhost)
    assert [each for each in libraries if not glibc.fullmatch(each)] == ["libblkid.so.1", "libudev.so.1"]
    assert not symbols


def test_isal_is_in_it_with_its_assembler(package):
    """The loops for AVX2 that nasm made: without these it would be slower than zlib's."""
    names = subprocess.run(["nm", package.compiled + "/aws_cpi/build/onhost"], capture_output=True, text=True,
                           check=True).stdout
    wanted = {"x86_64": "decode_huffman_code_block_stateless_04", "aarch64": "decode_huffman_code_block_stateless_aarch64"}
    assert re.search(rf" T {wanted[os.uname().machine]}$", names, re.M)


def test_licenses_of_all_that_is_in_it(package):
    assert {"aws_cpi", "openssl", "curl", "expat", "zlib", "zstd", "xz", "libarchive", "libseccomp", "isa-l"} <= set(
        os.listdir(package.installed + "/licenses"))


def test_both_run_where_they_were_built(package, stemcell):
    done = package.root.run(INSTALL + "/bin/cpi", input=request_bytes({"method": "info"}))
    assert json.loads(done.stdout)["result"]["stemcell_formats"] == ["aws-raw", "aws-light"]
    with open(stemcell.image, "rb") as image:
        done = package.root.run(INSTALL + "/bin/onhost", "unpack", stdin=image)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).hexdigest() == stemcell.sha256


def ask_in_root(package, lab, url, hosts):
    """A call of cpi in the root, which knows names by this line of its /etc/hosts."""
    with open(package.root.folder + "/etc/hosts", "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost\n" + hosts)
    config = json.loads(json.dumps(lab.config))
    config["cloud"]["properties"]["aws"]["ec2_endpoint"] = url
    with open(package.root.folder + "/tmp/cpi.json", "w", encoding="ascii") as file:
        json.dump(config, file)
    done = package.root.run(INSTALL + "/bin/cpi", "/tmp/cpi.json", env=director_env(),
                            input=request_bytes({"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}))
    return json.loads(done.stdout)


def test_names_come_from_the_machines_name_services(package, lab):
    """A name that stands in /etc/hosts alone; and one that does not."""
    port = urllib.parse.urlparse(lab.endpoint).port
    answer = ask_in_root(package, lab, f"http://ec2.of-the-lab:{port}", "127.0.0.1 ec2.of-the-lab\n")
    assert answer["error"] is None and answer["result"] is False
    answer = ask_in_root(package, lab, f"http://ec2.of-the-lab:{port}", "")
    assert "ec2.of-the-lab" in answer["error"]["message"]


def test_the_machines_certificates_are_trusted(package, lab, tmp_path):
    """The file that a stemcell has, without a variable that names it; with another authority in it the server is refused."""
    authority = Authority(tmp_path, "authority")
    front = Front(lab, tls=authority.server("good", [x509.DNSName("ec2.of-the-lab")]))
    file = package.root.folder + "/etc/ssl/certs/ca-certificates.crt"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        url, hosts = f"https://ec2.of-the-lab:{front.port}", "127.0.0.1 ec2.of-the-lab\n"
        shutil.copy(authority.file, file)
        answer = ask_in_root(package, lab, url, hosts)
        assert answer["error"] is None and answer["result"] is False
        shutil.copy(Authority(tmp_path, "other").file, file)
        assert "certificate" in ask_in_root(package, lab, url, hosts)["error"]["message"]
    finally:
        os.remove(file)
        front.close()


@pytest.mark.parametrize("name", ["info", "tls", "sandbox", pytest.param("images", marks=pytest.mark.long)])
def test_the_suite_with_what_is_shipped(package, name):
    """The tests of these parts once more, with the programs as the release has them."""
    env = {**os.environ, "CPI_BIN": package.cpi, "ONHOST_BIN": package.onhost}
    for key in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_CURRENT_TEST"):
        env.pop(key, None)
    done = subprocess.run([sys.executable, "-m", "pytest", f"tests/integration/test_{name}.py", "-m", "not long", "-q"],
                          cwd=ROOT, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\d+ passed", done.stdout)


def break_archive(path, member, text):
    """An archive with something behind one of its files."""
    with tarfile.open(path) as archive:
        archive.extractall(path + ".d", filter="tar")
    with open(os.path.join(path + ".d", member), "a", encoding="utf-8") as file:
        file.write(text)
    with tarfile.open(path, "w:xz") as archive:
        for name in os.listdir(path + ".d"):
            archive.add(os.path.join(path + ".d", name), name)
    shutil.rmtree(path + ".d")


def test_a_step_that_fails_is_shown(package):
    """The command and what it said; the other lane is ended, and nothing is installed."""
    compile_dir, install_dir = COMPILE + "-broken", INSTALL + "-broken"
    package_kit.lay_out(package.root, compile_dir)
    break_archive(f"{package.root.folder}{compile_dir}/third_party/expat.tar.xz", "expat/expat/lib/xmltok.c",
                  "\n#error broken on purpose\n")
    done = package.root.compile(compile_dir, install_dir)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "#error broken on purpose" in said
    assert re.search(r"failed with status 1, in .*/expat/lib: cc .* -c xmltok\.c", said)
    assert os.listdir(package.root.folder + install_dir + "/bin") == []
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert compile_dir not in listed
    for each in (compile_dir, install_dir):
        shutil.rmtree(package.root.folder + each)
