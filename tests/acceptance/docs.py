#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Part of `make acceptance`: what the pages say of the bosh command line, by the real one (BOSH=, else bosh in PATH). Each command of it
that they show takes the options that it shows; and the operations files lead over to this release and back. Fails where there is none.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "integration")]

import yaml  # noqa: E402
from docs_kit import PAGES, commands  # noqa: E402
from ops_kit import FOLDER, bosh_deployment  # noqa: E402

BOSH = os.environ.get("BOSH") or "bosh"
# with a value behind them
TAKE_VALUE = {"-v", "-l", "-o", "-e", "-d", "-n", "--state", "--vars-store", "--sha1"}


def bosh(*words):
    """Its output."""
    return subprocess.run([BOSH, *words], check=True, capture_output=True, text=True, timeout=120).stdout


def command_and_options(words):
    """The command's name, and the options before and behind it."""
    options, rest = [], list(words)
    name = None
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options.append(word.split("=")[0])
            if word in TAKE_VALUE and rest:
                rest.pop(0)
        elif name is None:
            name = word
    return name, options


def check_commands():
    """Each command of each page; how many."""
    helps, count = {}, 0
    for page in PAGES:
        for words in commands(page, "bosh"):
            name, options = command_and_options(words)
            if name not in helps:
                helps[name] = bosh(name, "--help")
                assert f"bosh [OPTIONS] {name}" in helps[name], f"{page}: bosh has no command {name}"
            for option in options:
                assert re.search(rf"(?:^|[\s,]){re.escape(option)}(?:[=,\s]|$)", helps[name], re.MULTILINE), f"{page}: bosh {name} has no {option}"
            count += 1
    return count


def check_operations():
    """Over, and back by the same file; and the one for laptops."""
    before = bosh_deployment()
    entry, = [each for each in before["releases"] if each["name"] == "bosh-aws-cpi"]
    old = [f"aws_cpi_release={entry['url']}", f"aws_cpi_sha1={entry['sha1']}", f"aws_cpi_version={entry['version']}"]
    new = ["aws_cpi_release=file:///cpi.tgz", "aws_cpi_sha1=" + "b2" * 20, "aws_cpi_version=0.1.0"]
    with tempfile.TemporaryDirectory() as folder:
        def interpolate(manifest, name, *variables):
            path = os.path.join(folder, "manifest.yml")
            with open(path, "w", encoding="utf-8") as f:
                yaml.safe_dump(manifest, f)
            given = [word for each in variables for word in ("-v", each)]
            return yaml.safe_load(bosh("int", path, "-o", os.path.join(FOLDER, name), *given))
        after = interpolate(before, "use-this-cpi.yml", *new)
        changed, = [each for each in after["releases"] if each["name"] == "bosh-aws-cpi"]
        assert changed["url"] == "file:///cpi.tgz" and changed["version"] == "0.1.0", changed
        back = interpolate(after, "use-this-cpi.yml", *old)
        assert back == before, back
        direct = interpolate(before, "build-stemcells-direct.yml")
        assert direct["cloud_provider"]["properties"]["aws"].pop("stemcell") == {"builder": "direct"}
        assert direct == before


def main():
    """Exit status 0 where all is as the pages say."""
    try:
        bosh("--version")
    except FileNotFoundError:
        sys.exit(f"there is no {BOSH}: put the bosh command line into PATH, or name it by BOSH=")
    count = check_commands()
    assert count > 20, count
    check_operations()
    print(f"the pages' {count} commands of bosh take their options; the operations files lead over and back")


if __name__ == "__main__":
    main()
