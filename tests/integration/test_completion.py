# SPDX-License-Identifier: Apache-2.0
"""Completion of cpi's command line: what cpi offers, and in bash and zsh, as `make install` installs it."""
import os
import subprocess

import pytest
from command_kit import ACTIONS
from conftest import CPI, ROOT, director_env, wait_until
from tmux_kit import PROMPT, Window

COMMANDS = {"check", "policy", "sweep", "timeline", "upload-image", "call", "help", "version"}
COMMON = {"--config", "--region", "--profile", "--json", "--help"}
FILES = ""


def offered(*words):
    """The candidates; FILES among them where names of files fit."""
    result = subprocess.run([CPI, "complete", *words], env=director_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.returncode == 0 and result.stderr == ""
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert all(len(line) == 2 and line[1] for line in lines), "each says what it is"
    names = [line[0] for line in lines]
    assert len(names) == len(set(names))
    return set(names)


def test_first_word():
    assert offered("") == offered() == COMMANDS | set(ACTIONS) | {FILES}
    assert offered("list") == offered("list-") == {"list_workers", FILES}
    assert offered("-") == {"--config", "--help", "--version"}
    assert offered("xyzzy") == {FILES}
    assert offered("cpi.json", "") == set()


def test_behind_options():
    assert offered("--config", "cpi.json", "get_w") == {"get_worker", FILES}
    assert offered("--config=cpi.json", "get_w") == {"get_worker", FILES}
    assert offered("--config", "") == {FILES}
    assert offered("--region", "x", "get_worker", "--w") == {"--worker-id"}


@pytest.mark.parametrize("action", ACTIONS)
def test_options_of_an_action(action):
    own = {"--" + name.replace("_", "-") for kind in ACTIONS[action] for name in kind}
    assert offered(action, "") == offered(action.replace("_", "-"), "-") == own | COMMON
    for option in own:
        assert offered(action, option, "value", "--") == (own | COMMON) - {option}
        assert offered(action, option, "") == set(), "a value is nobody's guess"
        assert offered(action, option[:5].replace("-", "_").replace("__", "--")) >= {option}


def test_options_of_commands():
    assert offered("check", "--") == {"--config", "--json", "--help"}
    assert offered("check", "--config", "x", "--") == {"--json", "--help"}
    assert offered("timeline", "--s") == {"--svg", "--slowest"}
    assert offered("upload-image", "--tag", "a=b", "--ta") == {"--tag"}
    assert offered("upload-image", "--architecture", "") == {"x86_64", "arm64"}
    assert offered("call", "--") == {"--config", "--region", "--profile", "--api-version", "--help"}
    assert offered("call", "info", "--api-version", "") == {"1", "2", "3"}
    for command in ("check", "policy", "sweep", "timeline", "upload-image"):
        assert offered(command, "") == {FILES}
    assert offered("version", "") == set()


def test_methods_and_topics():
    assert offered("call", "create_d") == offered("call", "create-d") == {"create_disk"}
    assert offered("call", "delete_snap") == {"delete_snapshot"}
    assert offered("call", "has_") == {"has_vm", "has_disk", "has_worker", "has_volume", "has_snapshot"}
    assert offered("call", "has_vm", "") == set()
    assert offered("help", "") == COMMANDS | set(ACTIONS)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """`make install`, somewhere, of what has been built: other tests are using that."""
    folder = tmp_path_factory.mktemp("installed")
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-s", "-o", "all", "install", f"BUILD={os.path.dirname(CPI)}", f"DESTDIR={folder}", "PREFIX=/usr"],
                   cwd=ROOT, check=True, timeout=600, env=env, stdout=subprocess.DEVNULL)
    return folder / "usr"


@pytest.fixture
def terminal(installed, tmp_path):  # pylint: disable=redefined-outer-name
    """terminal("bash"): a window with that shell, and completion as a user has it."""
    windows = []
    (tmp_path / "a configuration.json").write_text("{}")
    share = installed / "share"
    bash = f"PS1='{PROMPT}'; cd '{tmp_path}'; source '{share}/bash-completion/completions/cpi'\n"
    (tmp_path / ".bashrc").write_text(bash)
    (tmp_path / ".zshrc").write_text(f"fpath=('{share}/zsh/site-functions' $fpath); autoload -Uz compinit; compinit -u -D\n"
                                     f"cd '{tmp_path}'; PS1='{PROMPT}'; unsetopt prompt_sp\n")

    def make(shell):
        command = {"bash": ["bash", "--rcfile", str(tmp_path / ".bashrc"), "-i"], "zsh": ["zsh", "-d", "-i"]}[shell]
        env = {"PATH": os.path.dirname(CPI) + ":/usr/bin:/bin", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "LANG": "C.UTF-8"}
        windows.append(Window(tmp_path, 150, command, env))
        return windows[-1]
    yield make
    for each in windows:
        each.end()


LINES = [("cpi list_", "cpi list_workers"), ("cpi set-work", "cpi set_worker_metadata"), ("cpi upl", "cpi upload-image"),
         ("cpi get_worker --wor", "cpi get_worker --worker-id"), ("cpi call attach_d", "cpi call attach_disk"),
         ("cpi check --js", "cpi check --json"), ("cpi help snapshot_v", "cpi help snapshot_volume"),
         ("cpi list_workers --config a", "cpi list_workers --config a\\ configuration.json"),
         ("cpi list_workers --config=a", "cpi list_workers --config=a\\ configuration.json"),
         ("cpi call info --region=x --conf", "cpi call info --region=x --config"), ("cpi check a", "cpi check a\\ configuration.json")]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab(terminal, shell):  # pylint: disable=redefined-outer-name
    """What stands there after one Tab."""
    window = terminal(shell)
    for typed, wanted in LINES:
        window.type(typed, "Tab")
        wait_until(lambda wanted=wanted: window.screen().split("\n")[-1] == PROMPT + wanted)
        window.run("send-keys", "C-u")
        wait_until(lambda: window.screen().split("\n")[-1] == PROMPT.strip())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_list(terminal, shell):  # pylint: disable=redefined-outer-name
    """Where there are several, they are shown; zsh says what each is."""
    window = terminal(shell)
    window.type("cpi has_", "Tab", "Tab")
    screen = window.wait("has_snapshot")
    assert "has_worker" in screen and "has_volume" in screen and "get_worker" not in screen
    assert ("Tell whether there is such a snapshot" in screen) == (shell == "zsh")


def test_bash_without_a_terminal(installed):  # pylint: disable=redefined-outer-name
    """The function alone, as other tools call it."""
    script = f'''source '{installed}/share/bash-completion/completions/cpi'
COMP_WORDS=(cpi create_volume --size-gb 3 --vol); COMP_CWORD=4; _cpi '{CPI}' --vol 3; printf "%s\\n" "${{COMPREPLY[@]}}"'''
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["--volume-type"] and result.stderr == ""


def test_features():
    """Of a policy: one more behind a comma."""
    assert {"vm", "disk", "disk-resize"} <= offered("policy", "--only", "")
    assert offered("policy", "--only", "disk") == {"disk", "disk-resize"}
    assert offered("policy", "--without", "vm,elb,ro") == {"vm,elb,route", "vm,elb,role"}
    assert {"--only", "--with", "--without", "--list", "--role", "--kms-key", "--region", "--config"} <= offered("policy", "--")
