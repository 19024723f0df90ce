# SPDX-License-Identifier: Apache-2.0
"""What the bosh command line asked the CPI and what that answered, out of its debug log; and both without what is secret."""
import json
import re

CALL = re.compile(r"Exit Code (\d+) when executing external CPI command '[^']*'\nSTDIN: '(.*?)'\nSTDOUT: '(.*?)'\nSTDERR: '(.*?)'\n(?=\[|\Z)",
                  re.DOTALL)
HIDDEN = "<secret>"


class Call:
    """One call of the CPI."""

    def __init__(self, found):
        self.status = int(found[0])
        self.request = json.loads(found[1])
        self.answer = json.loads(found[2])
        self.log = found[3]
        self.method = self.request["method"]
        self.arguments = self.request["arguments"]
        self.result = self.answer["result"]


def calls(log):
    """All calls of the log, in order."""
    return [Call(found) for found in CALL.findall(log)]


def secrets_of(values):
    """The texts that must not be seen, of variables by name: passwords whole, keys line by line, in which way ever they are quoted."""
    found = set()
    for name, value in values.items():
        texts = value.values() if isinstance(value, dict) else [value]
        for text in texts:
            if "PRIVATE KEY" in text:
                found |= {line for line in text.split("\n") if len(line) >= 16 and not line.startswith("-----")}
            elif name.endswith(("password", "secret_access_key")):
                found.add(text)
    return found


def without(text, secrets):
    """The text, readable for anybody."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def written(all_calls, secrets):
    """Requests, logs and answers for a person."""
    lines = []
    for each in all_calls:
        lines += ["request: " + json.dumps(each.request, sort_keys=True), *("    log: " + line for line in each.log.strip().split("\n") if line),
                  "answer:  " + json.dumps(each.answer, sort_keys=True), ""]
    return without("\n".join(lines), secrets)
