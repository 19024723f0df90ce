#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After a whole run of the integration tests: what the labs have noted of our programs' calls (one file a lab, in the folder that
is given) is what `cpi policy` allows by all its features together, no less and no more.

usage: recorded_actions.py CPI FOLDER
"""
import json
import os
import subprocess
import sys

# declared without a feature: they take no permission of the caller's
ANYBODYS = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"}


def main(cpi, folder):
    """The exit status."""
    answer = subprocess.run([cpi, "policy", "--list", "--json"], check=True, capture_output=True, text=True)
    actions = [a for feature in json.loads(answer.stdout)["features"] for a in feature["actions"]]
    # the others AWS asks for itself
    called = {a["action"] for a in actions if a["called"]}
    recorded = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="ascii") as f:
            recorded.update(f.read().split())
    wrong = [f"recorded, but in no policy: {a}" for a in sorted(recorded - called - ANYBODYS)]
    wrong += [f"in a policy, but no test has recorded it: {a}" for a in sorted(called - recorded)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"recorded actions: {len(recorded)}, of them {len(recorded & called)} in the policies of all features, which have "
          f"{len(called)} that are called")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
