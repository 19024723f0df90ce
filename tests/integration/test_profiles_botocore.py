# SPDX-License-Identifier: Apache-2.0
"""The shared AWS files as botocore reads them: generated ones, right and wrong, give the same profiles, sections and values,
or are refused by both."""

import json
import os
import random
import subprocess
from unittest import mock

import botocore.configloader
import botocore.exceptions
import botocore.session
import pytest

FILES = 400
DRIVER = os.path.join(os.environ.get("BUILD_DIR", "build"), "tests", "aws_driver")

SECTIONS = ["default", "profile dev", "profile default", 'profile "two words"', "profile 'single'", "profile", "profile a b",
            "profile  spaced ", "profile\tdev", 'profile "dev"', r"profile back\slash", r'profile "q\"uote\x"', "profile 'open",
            'profile ""', "profiles", "profilex dev2", "sso-session corp", 'sso-session "corp 2"', "sso-session", "services local",
            "services", "DEFAULT", "dev", "preview", "plugins", "profile ünï", "profile x]y", "profile #no", " padded ", "]",
            "profile a\\", "profile " + "long" * 100]
KEYS = ["region", "REGION", "aws_access_key_id", "aws_secret_access_key", "Output", "role_arn", "source_profile", "s3", "ec2",
        "endpoint_url", "key with blanks", "services", "ca_bundle", "é", "[odd", "a#b", "x;y"]
VALUES = ["", "us-east-1", "a = b", "a:b", "x # not a comment", "x ; nor this", "wJalrXUtnFEMI/K7MDENG+bPx==", '"quoted"', "ünï",
          "50%", "%(region)s", "[x]", "a\u00a0b", "\u00a0", "\x1cfield", "tab\there", "\u2003wide\u2003", "名前", "#", "a\u2028b", "a\x85b"]
NESTED = ["endpoint_url = http://127.0.0.1:1", "Signature_Version = s3v4", "a=b=c", "a =", "= v", "no delimiter", "k : v", "# comment",
          "", "endpoint_url=http://b", "x = a\x0bb = c", "x = 1\u2028y = 2"]
ODD_LINES = ["stray", "= value", ": value", "[", "[]", "[open", "key", "\ufeff[default]", "[a] # behind", "[a][b]", "\x0c", "\x1f",
             "key=v [a]"]
BREAKS = ["\n", "\n", "\n", "\r\n", "\r"]


def random_line(rng):
    kind = rng.random()
    indent = rng.choice(["", "", "", "", " ", "  ", "\t", "\u00a0", "    "])
    if kind < 0.01:
        return indent + rng.choice(ODD_LINES)
    if kind < 0.15:
        return rng.choice(["", " ", "\t", "# comment", "; comment", "  # indented comment", "#[profile commented]"])
    if kind < 0.25:
        return rng.choice([" ", "   ", "\t"]) + rng.choice(["region = b", "aws_x: y", "a = b [x]"] if rng.random() < 0.9 else ["continued", "[x]", "# more"])
    blanks = rng.choice(["", " ", "  ", "\t"])
    return indent + rng.choice(KEYS) + blanks + rng.choice("==:") + blanks + rng.choice(VALUES) + rng.choice(["", "", " ", "\t"])


def random_file(rng):
    """Mostly something that both take, as a file with one fault tells less than one without."""
    lines = []
    names = rng.sample(SECTIONS, rng.randrange(6))
    if rng.random() < 0.05 and names:
        names.append(rng.choice(names))
    for name in names:
        lines.append(rng.choice(["", "", "", " "]) + f"[{name}]" + rng.choice(["", "", " ", " # x"]))
        keys = set()
        for _ in range(rng.randrange(7)):
            if rng.random() < 0.2:
                lines.append(rng.choice(["s3 =", "ec2=", "nested :  "]) if "n" not in keys else "# again")
                keys.add("n")
                lines += [rng.choice(["  ", "\t", "      "]) + rng.choice(NESTED[:5] if rng.random() < 0.97 else NESTED)
                          for _ in range(rng.randrange(5))]
                continue
            line = random_line(rng)
            key = line.strip().partition("=")[0].partition(":")[0].strip().lower()
            if key in keys and rng.random() < 0.98:
                continue
            keys.add(key)
            lines.append(line)
    if rng.random() < 0.03:
        lines.insert(0, rng.choice(ODD_LINES + ["region = x"]))
    end = rng.choice(BREAKS)
    text = (end.join(lines) + rng.choice([end, ""])).encode()
    if rng.random() < 0.02:
        text += rng.choice([b"\xff", b"x = \xc3\n", b"\xed\xa0\x80"])
    return text


def ask(requests):
    """The driver's answers."""
    if not os.access(DRIVER, os.X_OK):
        pytest.fail(f"{DRIVER} is missing: run 'make integration', which builds it")
    done = subprocess.run([DRIVER], input="".join(json.dumps(r) + "\n" for r in requests), capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert len(answers) == len(requests)
    return answers


def botocores(config, credentials):
    """What botocore makes of two files: None where it refuses them."""
    try:
        loaded = botocore.configloader.load_config(config)
        raw = botocore.configloader.raw_config_parse(credentials)
        session = botocore.session.Session()
        session.set_config_variable("config_file", config)
        session.set_config_variable("credentials_file", credentials)
        merged = session.full_config["profiles"]
    except botocore.exceptions.ConfigParseError:
        return None
    return {"config": loaded["profiles"], "sso_sessions": loaded["sso_sessions"], "services": loaded["services"],
            "credentials": raw, "merged": merged}


def compare(folder, pairs):
    """Asks both about pairs of files; how many they took and refused."""
    theirs, requests = [], []
    for number, (config, credentials) in enumerate(pairs):
        paths = folder / f"config-{number}", folder / f"credentials-{number}"
        paths[0].write_bytes(config)
        paths[1].write_bytes(credentials)
        theirs.append(botocores(str(paths[0]), str(paths[1])))
        get = [(p, k) for p, values in (theirs[-1] or {"merged": {}})["merged"].items() for k in [*values, "absent"]]
        requests.append({"want": "profiles", "get": get, "env": {
            "AWS_CONFIG_FILE": str(paths[0]), "AWS_SHARED_CREDENTIALS_FILE": str(paths[1])}})
    for (config, credentials), their, request, ours in zip(pairs, theirs, requests, ask(requests)):
        if their is None:
            assert ours.get("kind") == "config", (config, credentials)
            assert "line" in ours["error"] and str(folder) in ours["error"], ours
            continue
        if "begins a list" in ours.get("error", "") and b"[DEFAULT]" in config + credentials:
            continue  # botocore does not look at a key of [DEFAULT] that no section takes over
        assert "error" not in ours, (ours, config, credentials)
        for part in ("config", "sso_sessions", "services", "credentials"):
            assert ours[part] == their[part], (part, config, credentials)
        for (profile, key), got in zip(request["get"], ours["got"]):
            value = their["merged"][profile].get(key)
            assert got == (value if isinstance(value, str) and value != "" else None), (profile, key, config, credentials)
    return sum(t is not None for t in theirs), sum(t is None for t in theirs)


def test_generated_files(tmp_path):
    rng = random.Random(20261121)
    taken, refused = compare(tmp_path, [(random_file(rng), random_file(rng)) for _ in range(FILES)])
    assert taken > FILES / 3 and refused > FILES / 20, (taken, refused)


@pytest.mark.parametrize("text", [
    b"", b"\n", b"[default]", b"[default]\nregion=x", b"[default]\r\nregion = x\r\n", b"# only\n; comments\n",
    b"[default]\na = 1\n  2\n\n  3\n\nb = 4\n", b"[default]\n  a = 1\n  b = 2\n c = 3\n", b"[default]\na =\n\n  x = 1\n  # c\n  y = 2\n",
    b"[default]\na =\n  x\n", b"[default]\na = 1\nA = 2\n", b"[a]\n[a]\n", b"[DEFAULT]\nx = 1\n[default]\ny = 2\n[p]\nx = 3\n[DEFAULT]\nz = 4\n",
    b"[DEFAULT]\nx = 1\n[DEFAULT]\nx = 2\n", b"[profile a]\nx = 1\n[profile 'a']\ny = 2\n", b"[profile default]\nx = 1\n[default]\ny = 2\n",
    b"[default]\ny = 2\n[profile default]\nx = 1\n", b"x = 1\n", b"[default]\nx\n", b"[default]\n= 1\n", b"[default]\nx = \xff\n",
    b'[profile "a\\\\b"]\nx = 1\n', b'[profile "a\\b\\"c"]\nx = 1\n', b"[profile 'a\\b']\nx = 1\n", b"[profile a\\ b]\nx = 1\n",
    b"\xef\xbb\xbf[default]\nx = 1\n", b"[default]\na\xc2\xa0=\xc2\xa01\n\xc2\xa0 2\n", b"[default]\na=\n b = 1\n b = 2\n B = 3\n"])
def test_single_files(tmp_path, text):
    compare(tmp_path, [(text, b""), (b"", text), (text, text)])


def test_paths_and_the_active_profile(tmp_path):
    """The variables, as botocore's session takes them."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text("[default]\nregion = of-home\n[profile a]\nregion = of-a\n[profile b]\nregion = of-b\n")
    (tmp_path / "other").write_text("[default]\nregion = of-other\n[profile a]\nregion = of-other-a\n")
    (tmp_path / "directory").mkdir()
    cases = [{}, {"AWS_PROFILE": "a"}, {"AWS_DEFAULT_PROFILE": "b"}, {"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"},
             {"AWS_CONFIG_FILE": str(tmp_path / "other")}, {"AWS_CONFIG_FILE": "~/../other"}, {"AWS_CONFIG_FILE": "$HOME/../other"},
             {"AWS_CONFIG_FILE": "${HOME}/../oth${X}", "X": "er"}, {"AWS_CONFIG_FILE": "$HOME/$NOT_SET"},
             {"AWS_CONFIG_FILE": str(tmp_path / "missing")}, {"AWS_CONFIG_FILE": str(tmp_path / "directory")},
             {"AWS_CONFIG_FILE": "/dev/null"}, {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "other")}]
    environments = [{"HOME": str(home), **case} for case in cases]
    requests = [{"want": "profiles", "env": env, "get": [
        (env.get("AWS_DEFAULT_PROFILE", env.get("AWS_PROFILE", "default")), "region")]} for env in environments]
    for env, ours in zip(environments, ask(requests)):
        with mock.patch.dict(os.environ, env, clear=True):
            session = botocore.session.Session()
            assert ours["active"] == (session.profile or "default"), env
            assert ours["got"] == [session.get_scoped_config().get("region")], env


# --- intended differences ---


def test_nul_is_refused(tmp_path):
    """botocore keeps it; nothing that AWS takes holds one, and values are C strings here."""
    path = tmp_path / "config"
    path.write_bytes(b"[default]\nregion = a\0b\n")
    answer, = ask([{"want": "profiles", "env": {"AWS_CONFIG_FILE": str(path)}}])
    assert answer["kind"] == "config" and "line 2" in answer["error"]


def test_unreadable_file_is_an_error(tmp_path):
    """botocore takes it for an empty one; whoever has written it wants it read."""
    if os.geteuid() == 0:
        # what root cannot read either: a file that is too large for us
        path = tmp_path / "config"
        path.write_bytes(b"#" * (1024 * 1024 + 1))
    else:
        path = tmp_path / "config"
        path.write_bytes(b"[default]\n")
        path.chmod(0)
    answer, = ask([{"want": "profiles", "env": {"AWS_CONFIG_FILE": str(path)}}])
    assert answer["kind"] == "config" and str(path) in answer["error"]


def test_no_line_is_repeated(tmp_path):
    """What is wrong may be a secret in the wrong place."""
    for text in ("do-not-repeat-me\n", "[default]\ndo-not-repeat-me\n", "[default]\na = 1\na = do-not-repeat-me\n",
                 "[default]\na =\n  do-not-repeat-me\n"):
        (tmp_path / "credentials").write_text(text)
        answer, = ask([{"want": "profiles", "env": {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}}])
        assert answer["kind"] == "config" and "do-not-repeat-me" not in answer["error"]
