#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page cpi-actions(7) from the definitions of the worker actions: actions_driver | actions_page.py > cpi-actions.7.
`make man` writes the one that is committed; a test compares them."""
import json
import sys

HEAD = r'''.\" SPDX-License-Identifier: Apache-2.0
.\" Made by `make man` from the table in cpi/actions/worker_action.c.
.Dd November 29, 2026
.Dt CPI-ACTIONS 7
.Os
.Sh NAME
.Nm cpi-actions
.Nd worker actions of the AWS CPI
.Sh SYNOPSIS
.Nm cpi
.Ar action
.Op Fl -parameter Ar value ...
.Op Fl -config Ar CONFIG
.Sh DESCRIPTION
The worker actions work on EC2 instances
.Pq Dq workers ,
EBS volumes and snapshots, for people and programs that have no BOSH Director.
There are three doors to them, which take the same parameters and give the same results:
the command line of
.Xr cpi 1 ,
where a parameter is an option with dashes for underscores;
a request on its standard input, whose method is the action's name and whose only argument is an object
with the parameters by name; and the library
.Pa libcpi_aws.so .
.Pp
A parameter that is unknown, missing, of another type, empty, or out of range is refused before anything is asked of AWS.
What a value means is for EC2 to say: instance types, volume types and zones are passed on as they are.
.Sh ACTIONS
Each action takes
.Ar region
as well: the AWS region, a string.
Where it is not given, it is
.Va aws.region
of the configuration, else that of
.Ev AWS_REGION
or
.Ev AWS_DEFAULT_REGION ,
else the profile's, else us-east-1.
.Bl -tag -width Ds
'''

TAIL = r'''.El
.Sh RESULTS
A result is an object in JSON in which
.Ql success
is true.
Lists are whole, over all of EC2's pages.
.Cm has_worker ,
.Cm has_volume
and
.Cm has_snapshot
answer whether there is such a thing;
an instance that is terminated counts as gone.
.Pp
.Cm create_worker ,
.Cm create_volume ,
.Cm create_snapshot ,
.Cm snapshot_volume
and
.Cm attach_volume
leave nothing behind when they fail: what was made is removed again.
.Pp
.Cm delete_snapshot
is a method of the CPI as well: in a request, an object is the action's argument and a string the method's.
.Sh FAILURES
What is not there is an error of all other actions.
Where AWS refused something, the error has AWS's code, its message, the id of its request and the API action,
and it says whether the same call may succeed later.
.Sh SEE ALSO
.Xr cpi 1
'''


def roff(text):
    """Text as it may stand in a line of its own."""
    text = text.replace("\\", "\\e").replace("…", "...")
    return "\\&" + text if text.startswith((".", "'")) else text


def parameter(definition):
    """One parameter's entry."""
    notes = ["a whole number" if definition["type"] == "integer" else "a string"]
    if definition["required"]:
        notes.append("required")
    elif definition["default"] is not None:
        notes.append(f"{definition['default']} where it is not given")
    return f".It Ar {definition['name']}\n{roff(definition['description'])}\n.Pq {', '.join(notes)}\n"


def action(definition):
    """One action's entry; the region is all actions' and stands before them."""
    text = f".It Cm {definition['name']}\n{roff(definition['description'])}.\n"
    parameters = [p for p in definition["parameters"] if p["name"] != "region"]
    if parameters:
        text += ".Bl -tag -width Ds -compact\n" + "".join(map(parameter, parameters)) + ".El\n"
    return text


def page(definitions):
    """The whole page."""
    return HEAD + "".join(map(action, definitions)) + TAIL


if __name__ == "__main__":
    sys.stdout.write(page(json.load(sys.stdin)))
