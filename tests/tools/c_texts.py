# SPDX-License-Identifier: Apache-2.0
"""The texts of C sources: literals that stand beside each other as one, with … for what is filled in."""
import re

TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"|/\*.*?\*/|//[^\n]*|\'(?:[^\'\\\n]|\\.)*\'', re.DOTALL)
FILLED = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j)?[a-zA-Z]?")


def _plain(text):
    text = text.replace("%%", "\0").replace('\\"', '"').replace("\\n", " ")
    return re.sub("…+", "…", FILLED.sub("…", text)).replace("\0", "%")


def texts(source):
    """All of one file, in their order."""
    found, at, end = [], None, 0
    for match in TOKEN.finditer(source):
        if match.group(1) is None:
            continue
        between = re.sub(r"/\*.*?\*/", "", source[end:match.start()], flags=re.DOTALL).strip()
        # a macro of inttypes.h, or one of the file's own
        if at is not None and re.fullmatch(r"[A-Z][A-Za-z0-9_]*|", between):
            at = (re.sub(r"%[-0-9.*]*$", "", at) + "…" if between else at) + match.group(1)
        else:
            found += [at] if at is not None else []
            at = match.group(1)
        end = match.end()
    return [_plain(text) for text in found + ([at] if at is not None else [])]
