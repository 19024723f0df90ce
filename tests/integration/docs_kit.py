# SPDX-License-Identifier: Apache-2.0
"""What the pages for operators show: links, JSON, YAML, commands, and sessions at a prompt."""
import functools
import glob
import os
import re
import shlex
from types import SimpleNamespace

from conftest import ROOT

PAGES = ["README.md", "tests/lab/README.md", *sorted(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, "docs", "*.md")))]
PROGRAMS = ("cpi", "onhost", "bosh", "make")
# code of Markdown: a fence of a language, perhaps in a list; lines that are set in by four; a word among others
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n)+", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


@functools.lru_cache(None)
def text_of(page):
    """A page's text, by its path from the root."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as f:
        return f.read()


def fences(page, *languages):
    """The blocks of these languages, without what a list sets them in by."""
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
            for indent, language, body in FENCE.findall(text_of(page)) if language in languages]


def links(page):
    """(text, target) of each link."""
    return re.findall(r"\[([^]]+)\]\(([^)\s]+)\)", FENCE.sub("", text_of(page)))


def anchors(page):
    """What GitHub makes of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", head).lower()).replace(" ", "-") for head in heads}


def _lines(page):
    """All that may be a command: lines of blocks, and code among words."""
    rest = FENCE.sub("", text_of(page))
    prompts = ["\n".join(line for line in block.splitlines() if line.startswith("$ ")) for block in fences(page, "console")]
    blocks = fences(page, "", "sh") + prompts + INDENTED.findall(rest)
    for line in re.sub(r"\\\n\s*", "", "\n".join(blocks)).splitlines():
        yield re.sub(r"^\s*\$ ", "", line).strip()
    yield from INLINE.findall(rest)


def _words(text):
    """A command's words; of a synopsis ([--json], A | B) those that may be given."""
    try:
        return shlex.split(re.sub(r"[\[\]]", " ", text), comments=True)
    except ValueError:
        return text.split()


def commands(page, program):
    """The words behind the program's name, of each command of it on the page."""
    found = []
    for line in _lines(page):
        for part in re.split(r"\s\|\s|&&|;|(?<=\S)\s{4,}\S.*$", line):
            words = _words(part or "")
            while words and re.fullmatch(r"[A-Z_]+=.*|sudo|-n", words[0]):
                words.pop(0)
            if len(words) > 1 and os.path.basename(words[0]) == program and not words[1].startswith(("…", "(")):
                found.append(words[1:])
    return found


def sessions(page):
    """What stands at a prompt: [[command, lines of answer], …] for each page."""
    found = []
    for block in fences(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(SimpleNamespace(command=line[2:], answer=[]))
            else:
                found[-1].answer.append(line)
    return found


def messages(page):
    """Those of the tables whose first column is called so."""
    tables = re.findall(r"^\| message \|.*\n\| ---.*\n((?:\|.*\n)+)", text_of(page), re.MULTILINE)
    return [line.strip("| ").split(" | ")[0].strip("`") for table in tables for line in table.splitlines()]


def pattern(message):
    """For what stands there, with … for anything."""
    return re.compile(".*".join(re.escape(part.strip()) for part in message.split("…")), re.DOTALL)
