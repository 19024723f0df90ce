#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page cpi.json(5) from docs/configuration.md: configuration_page.py docs/configuration.md > cpi.json.5. `make man` writes the
one that is committed; a test compares them."""
import re
import sys

HEAD = r'''.\" SPDX-License-Identifier: Apache-2.0
.\" Made by `make man` from docs/configuration.md.
.Dd November 29, 2026
.Dt CPI.JSON 5
.Os
.Sh NAME
.Nm cpi.json
.Nd configuration of the AWS CPI
.Sh DESCRIPTION
The file that
.Xr cpi 1
reads:
a JSON object with
.Va cloud.properties ,
of which all of the following are members.
A BOSH job writes it from a manifest's properties;
on a machine of one's own it is written by hand, and
.Ql cpi check
says whether it is right.
.Pp
It is the Ruby CPI's file, and what that takes is taken here, with the same meaning.
Properties that are not known are passed over.
A null, an empty text and a missing property are the same, unless it says otherwise below.
The context of a request is laid over
.Va aws ,
member by member.
The file holds secrets: nobody but the user that runs
.Nm cpi
should be able to read it.
.Pp
Behind each property stand its type, its default,
the first version of the CPI API with which it matters,
and whether the Ruby CPI has it too.
'''

TAIL = r'''.Sh EXAMPLES
.Bd -literal
%s.Ed
.Sh SEE ALSO
.Xr cpi 1 ,
.Xr onhost 8
'''


def rows(text):
    """The tables of properties as [heading, [row, …]]; a row is a dict by the table's head."""
    parts = []
    for heading, body in zip(*[iter(re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)[1:])] * 2):
        found = []
        for table in re.findall(r"(?:^\|.*\|\n)+", body, re.MULTILINE):
            lines = [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in table.splitlines()]
            if lines[0][0].strip() == "property":
                assert all(len(line) == len(lines[0]) for line in lines), lines
                found += [dict(zip(lines[0], line)) for line in lines[2:]]
        if found:
            parts.append([heading, found])
    return parts


def example(text):
    """The whole file that the page shows."""
    return re.search(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)


def plain(text):
    """Without Markdown's links and code marks, as roff takes it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"docs/\1", text).replace("`", "")
    text = text.replace("\\", "\\e").replace("…", "...").replace("-", "\\-")
    assert text.isascii(), text
    return "\\&" + text if text.startswith((".", "'")) else text


def sentences(text):
    """Each on a line of its own, as man pages have them."""
    return re.sub(r"(?<=[.]) (?=[A-Z])", "\n", plain(text))


def entry(row):
    """One property."""
    whose = "as in the Ruby CPI" if row["whose"] == "Ruby" else "not in the Ruby CPI"
    facts = f"{plain(row['type'])}; default: {plain(row['default'])}; API version {plain(row['since'])}; {whose}"
    return f".It Va {plain(row['property'])}\n{sentences(row['meaning'])}.\n.Pq {facts}\n"


def page(text):
    """The whole page."""
    body = ""
    for heading, found in rows(text):
        body += f".Ss {plain(heading)}\n.Bl -tag -width Ds\n" + "".join(map(entry, found)) + ".El\n"
    return HEAD + ".Sh PROPERTIES\n" + body + TAIL % plain(example(text))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        sys.stdout.write(page(source.read()))
