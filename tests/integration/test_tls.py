# SPDX-License-Identifier: Apache-2.0
"""Whom cpi talks to: with certificates of the test's own in front of the lab. One that is not right is refused at the first
attempt, with an error that says what to do, and without a byte of the request."""
import datetime
import ipaddress
import shlex
import shutil
import ssl
import subprocess
import threading

import pytest
from conftest import director_env, in_namespaces, run_cpi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_create_stemcell import config_with, created, refused, state_env
from wire_kit import Front, answer_bytes

HAS_DISK = {"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}
ADDRESS = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
HERE, ELSEWHERE = [ADDRESS, x509.DNSName("localhost")], [x509.DNSName("ec2.example.com"), x509.DNSName("*.example.com")]


class Authority:
    """A certificate authority and what it signs, in a folder."""

    def __init__(self, folder, name):
        self._folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.key, name, None, (-1, 1), True, self)
        self.file = self._write(f"{name}.pem", self.certificate)

    def _write(self, name, *certificates):
        path = self._folder / name
        path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
        return str(path)

    @staticmethod
    def _sign(key, name, names, days, is_authority, issuer):
        now = datetime.datetime.now(datetime.timezone.utc)
        common = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in (name, issuer.name)]
        builder = (x509.CertificateBuilder().subject_name(common[0]).issuer_name(common[1]).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(issuer.key, hashes.SHA256())

    def server(self, name, names=None, days=(-1, 1), chain=(), issuer=None):
        """A server's context with a certificate for these names, valid in that span of days."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(key, name, names or HERE, days, False, issuer or self)
        path = self._write(f"{name}.pem", certificate, *chain)
        private = self._folder / f"{name}.key"
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                              serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, private)
        return context

    def below(self, name):
        """An authority that this one has signed."""
        lower = Authority(self._folder, name)
        lower.certificate = self._sign(lower.key, name, None, (-1, 1), True, self)
        return lower


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The one that clients are told to trust."""
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture
def fronts(lab):
    """fronts(context): the lab behind TLS."""
    made = []

    def make(context, **more):
        made.append(Front(lab, tls=context, **more))
        return made[-1]
    yield make
    for front in made:
        front.close()


def ask(lab, tmp_path, url, **env):
    """One call, with retries as an operator has them."""
    return run_cpi(lab, HAS_DISK, config_with(lab, ec2_endpoint=url),
                   {**director_env(), **state_env(tmp_path), "CPI_LOG_LEVEL": "debug", **env})


def self_signed(authority):
    """Issued by itself."""
    class Own:
        """Its issuer: the same name, and a key that is not the certificate's, so that nobody's signature fits."""
        name, key = "own", ec.generate_private_key(ec.SECP256R1())
    return authority.server("own", issuer=Own)


# --- what is right ---

@pytest.mark.parametrize("variable", ["BOSH_CA_CERT_FILE", "AWS_CA_BUNDLE"])
def test_the_right_one(lab, fronts, authority, tmp_path, variable):
    front = fronts(authority.server("good"))
    assert created(ask(lab, tmp_path, front.url, **{variable: authority.file})) is False
    assert len(front.requests) == 1


def test_by_name(lab, fronts, authority, tmp_path):
    front = fronts(authority.server("named", [x509.DNSName("localhost")]))
    assert created(ask(lab, tmp_path, f"https://localhost:{front.port}", BOSH_CA_CERT_FILE=authority.file)) is False


def test_an_authority_in_between(lab, fronts, authority, tmp_path):
    """The server sends it along; where it does not, nobody can know it."""
    lower = authority.below("lower")
    front = fronts(lower.server("chained", chain=[lower.certificate]))
    assert created(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=authority.file)) is False
    front = fronts(lower.server("chainless"))
    refused(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=authority.file), "certificate .* is refused")


def test_bosh_variable_counts_first(lab, fronts, authority, tmp_path):
    front = fronts(authority.server("good"))
    other = Authority(tmp_path, "other").file
    env = {"BOSH_CA_CERT_FILE": authority.file, "AWS_CA_BUNDLE": other}
    assert created(ask(lab, tmp_path, front.url, **env)) is False
    env = {"BOSH_CA_CERT_FILE": other, "AWS_CA_BUNDLE": authority.file}
    assert other in refused(ask(lab, tmp_path, front.url, **env), "certificate .* is refused")


# --- what is not ---

WRONG = {
    "a wrong name": (lambda ca: ca.server("elsewhere", ELSEWHERE), "must be a name that the certificate holds"),
    "a name in place of the address": (lambda ca: ca.server("nameless", [x509.DNSName("127.0.0.1.example.com")]),
                                       "must be a name that the certificate holds"),
    "expired": (lambda ca: ca.server("expired", days=(-3, -1)), "expired.*this machine's clock is wrong"),
    "not yet valid": (lambda ca: ca.server("early", days=(1, 3)), "not yet valid.*this machine's clock is wrong"),
    "an unknown issuer": (lambda ca: Authority(ca._folder, "unknown").server("strange"),
                          "BOSH_CA_CERT_FILE or AWS_CA_BUNDLE"),
    "signed by itself": (self_signed, "BOSH_CA_CERT_FILE or AWS_CA_BUNDLE"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_certificate(lab, fronts, authority, tmp_path, what):
    make, words = WRONG[what]
    front = fronts(make(authority))
    message = refused(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=authority.file), words)
    assert front.url in message
    assert front.connections == 1 and not front.requests


def test_the_systems_authorities(lab, fronts, authority, tmp_path):
    """Without a variable they alone count."""
    front = fronts(authority.server("good"))
    refused(ask(lab, tmp_path, front.url), "the system's CA certificates; set BOSH_CA_CERT_FILE or AWS_CA_BUNDLE")
    assert front.connections == 1 and not front.requests


def test_a_file_in_place_of_the_systems(lab, fronts, authority, tmp_path, monkeypatch):
    """On a machine that has our authority among its own: it is trusted, but no longer once a variable names a file."""
    system, other = tmp_path / "certs", Authority(tmp_path, "other")
    system.mkdir()
    name = subprocess.run(["openssl", "x509", "-subject_hash", "-noout", "-in", authority.file], check=True,
                          capture_output=True, text=True).stdout.strip()
    for each in (f"{name}.0", "ca-certificates.crt"):
        shutil.copy(authority.file, system / each)
    wrapper = in_namespaces("sh", "-c", f"mount --bind '{system}' /etc/ssl/certs && exec \"$@\"", "sh", kinds=["mount"])
    monkeypatch.setenv("CPI_WRAPPER", shlex.join(wrapper))
    front = fronts(authority.server("good"))
    assert created(ask(lab, tmp_path, front.url)) is False
    assert len(front.requests) == 1
    refused(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=other.file), "certificate .* is refused")
    assert len(front.requests) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda v: v.name)
def test_an_old_version(lab, fronts, authority, tmp_path, version):
    """Also where the library would be content with it."""
    lax = tmp_path / "openssl.cnf"
    lax.write_text("openssl_conf = i\n[i]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\n"
                   "MinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n", encoding="ascii")
    context = authority.server("old")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    front = fronts(context)
    refused(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=authority.file, OPENSSL_CONF=str(lax)), r"TLS \(1.2 or later\)")
    assert front.connections == 1 and not front.requests


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
def test_a_new_version(lab, fronts, authority, tmp_path, version):
    context = authority.server("new")
    context.minimum_version = context.maximum_version = version
    assert created(ask(lab, tmp_path, fronts(context).url, BOSH_CA_CERT_FILE=authority.file)) is False


def test_plain_http_on_the_port(lab, fronts, authority, tmp_path):
    """The scheme is wrong, or the port."""
    front = fronts(None)
    message = refused(ask(lab, tmp_path, f"https://127.0.0.1:{front.port}", BOSH_CA_CERT_FILE=authority.file),
                      r"cannot set up TLS \(1.2 or later\)")
    assert f"https://127.0.0.1:{front.port}" in message
    assert front.connections == 1 and not front.requests


def test_tls_on_a_plain_port(lab, fronts, authority, tmp_path):
    """The other way round: no answer that could be read, and nothing secret to those who cannot read it either."""
    front = fronts(authority.server("good"))
    refused(ask(lab, tmp_path, f"http://127.0.0.1:{front.port}"), "cannot reach")
    assert not front.requests


@pytest.mark.parametrize("content", [None, b"", b"garbage\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
                         ids=["missing", "empty", "garbage", "broken"])
@pytest.mark.parametrize("variable", ["BOSH_CA_CERT_FILE", "AWS_CA_BUNDLE"])
def test_a_ca_file_that_cannot_be_used(lab, fronts, authority, tmp_path, variable, content):
    """An error that names it; not the system's in its place."""
    front, path = fronts(authority.server("good")), tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    message = refused(ask(lab, tmp_path, front.url, **{variable: str(path)}), "BOSH_CA_CERT_FILE")
    assert str(path) in message
    assert not front.requests


# --- elsewhere ---

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(lab, fronts, authority, tmp_path, status):
    """Not followed: who answers so would get the signed request."""
    other = fronts(authority.server("good"))
    told = threading.Event()

    def elsewhere(exchange):
        exchange.send(answer_bytes(status, "", [("Location", other.url + "/")]))
        exchange.close()
        told.set()
    front = fronts(authority.server("good"), troubles={0: elsewhere})
    message = refused(ask(lab, tmp_path, front.url, BOSH_CA_CERT_FILE=authority.file), f"HTTP status {status}")
    assert "check the endpoint" in message
    assert told.wait(60) and len(front.requests) == 1
    assert other.connections == 0
