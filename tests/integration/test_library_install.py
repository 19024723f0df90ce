# SPDX-License-Identifier: Apache-2.0
"""The shared library as it is installed: what it exports and needs, its header, pkg-config, and the examples."""
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, director_env
from library_kit import BUILD, sanitized

pytestmark = pytest.mark.beyond_incumbent

EXAMPLES = os.path.join(ROOT, "packaging", "examples")
FUNCTIONS = ("version name provider_type default_settings list_actions action_definition execute free").split()

# uses all of it
HOST = """#include <cpi_aws.h>
#include <string.h>
int main(void)
{
	char *texts[4];
	int i, missing = 0;
	texts[0] = cpi_aws_default_settings();
	texts[1] = cpi_aws_list_actions();
	texts[2] = cpi_aws_action_definition("list_workers");
	texts[3] = cpi_aws_execute(NULL, "no action", NULL);
	for (i = 0; i < 4; i++) {
		missing += texts[i] == NULL;
		cpi_aws_free(texts[i]);
	}
	return missing + strcmp(cpi_aws_version(), CPI_AWS_VERSION) + strcmp(cpi_aws_name(), "ec2") +
	       strcmp(cpi_aws_provider_type(), "cloud");
}
"""


def output(*command, **more):
    """What a command that succeeds prints."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **more)
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The folder in which everything is installed, as for a package: /usr, and Debian's place for libraries."""
    folder = tmp_path_factory.mktemp("install")
    # the objects are there already, by whichever flags; only what installs them is run
    words = [f"BUILD={BUILD}", f"DESTDIR={folder}", "PREFIX=/usr", "LIBDIR=/usr/lib/lab", "-o", "all"]
    output("make", "-C", ROOT, "install", *words, env=director_env())
    return folder


def pkg_config(tree, *words):
    """pkg-config of that tree."""
    return output("pkg-config", *words, "cpi_aws", env=director_env() | {
        "PKG_CONFIG_PATH": f"{tree}/usr/lib/lab/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": str(tree)}).split()


def test_files(tree):
    libraries = tree / "usr/lib/lab"
    assert os.readlink(libraries / "libcpi_aws.so") == "libcpi_aws.so.0"
    assert (libraries / "libcpi_aws.so.0").stat().st_mode & 0o777 == 0o644
    assert (tree / "usr/include/cpi_aws.h").read_bytes() == open(os.path.join(ROOT, "cpi", "cpi_aws.h"), "rb").read()
    assert str(tree) not in (libraries / "pkgconfig/cpi_aws.pc").read_text() and "@" not in (libraries / "pkgconfig/cpi_aws.pc").read_text()
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as makefile:
        version = re.search(r"^VERSION := (.*)$", makefile.read(), re.MULTILINE).group(1)
    assert pkg_config(tree, "--modversion") == [version]
    assert pkg_config(tree, "--libs") == [f"-L{tree}/usr/lib/lab", "-lcpi_aws"]


def test_symbols(tree):
    """Its own and no others, by their version."""
    so = str(tree / "usr/lib/lab/libcpi_aws.so.0")
    told = [line.split()[-1] for line in output("nm", "-D", "--defined-only", so).splitlines()]
    assert sorted(told) == sorted(["LIBCPI_AWS_0", *(f"cpi_aws_{name}@@LIBCPI_AWS_0" for name in FUNCTIONS)])


def test_needs(tree):
    so = str(tree / "usr/lib/lab/libcpi_aws.so.0")
    dynamic = output("readelf", "-dW", so)
    assert re.search(r"SONAME.*\[libcpi_aws\.so\.0\]", dynamic) and "NOW" in dynamic and "TEXTREL" not in dynamic
    needed = {n for n in re.findall(r"NEEDED.*\[(.*?)\.so", dynamic) if not re.match("lib([alt]|ub)san$|libgc|ld-", n)}
    assert needed - {"libm", "libpthread", "libgcov"} == {"libcurl", "libcrypto", "libexpat", "libc"}


@pytest.mark.parametrize("compiler", [["gcc", "-std=c99"], ["gcc", "-std=c17"], ["g++", "-std=c++11"]], ids=lambda c: c[1][5:])
def test_header(tree, tmp_path, compiler):
    """It stands alone, in C and in C++, and what it declares can be linked."""
    source = tmp_path / ("host.cc" if compiler[0] == "g++" else "host.c")
    source.write_text(HOST)
    pedantic = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    output(*compiler, *pedantic, "-o", str(tmp_path / "host"), str(source), *pkg_config(tree, "--cflags", "--libs"),
           "-Wl,--allow-shlib-undefined")
    output(str(tmp_path / "host"), env=sanitized({"LD_LIBRARY_PATH": f"{tree}/usr/lib/lab"}))


def example_env(lab, tree, home):
    """A user's environment with keys in it."""
    keys = {k: lab.env[k] for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    return sanitized(director_env() | keys | {"HOME": str(home), "AWS_ENDPOINT_URL": lab.endpoint,
                                              "LD_LIBRARY_PATH": f"{tree}/usr/lib/lab"})


def test_example_in_c(lab, tree, tmp_path):
    program = str(tmp_path / "list_workers")
    with open(os.path.join(EXAMPLES, "list_workers.c"), encoding="utf-8") as f:
        assert "$(pkg-config --cflags --libs cpi_aws)" in f.read()
    output("gcc", "-Wall", "-Wextra", "-Werror", "-o", program, os.path.join(EXAMPLES, "list_workers.c"),
           *pkg_config(tree, "--cflags", "--libs"), "-Wl,--allow-shlib-undefined")
    env = example_env(lab, tree, tmp_path)
    answer = json.loads(output(program, env=env))
    assert lab.builder in [worker["id"] for worker in answer["workers"]]
    assert json.loads(output(program, "us-west-2", env=env)) == {"success": True, "workers": []}
    assert {c["region"] for c in lab.calls("DescribeInstances")} == {"us-east-1", "us-west-2"}
    refused = subprocess.run([program], env=env | {"AWS_SECRET_ACCESS_KEY": "wrong"}, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "") and json.loads(refused.stderr)["error"]["aws"]["code"] == "AuthFailure"
    assert subprocess.run([program, 'x"'], env=env, capture_output=True, check=False).returncode == 2


def test_example_in_python(lab, tree, tmp_path):
    env = example_env(lab, tree, tmp_path)
    program = [sys.executable, os.path.join(EXAMPLES, "list_workers.py")]
    (line,) = [line for line in output(*program, env=env).splitlines() if line.startswith(lab.builder)]
    assert line.split()[-2] == "running"
    assert output(*program, "us-west-2", env=env) == ""
    refused = subprocess.run(program, env=env | {"AWS_SECRET_ACCESS_KEY": "wrong"}, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and refused.stdout == "" and "AuthFailure" in refused.stderr
