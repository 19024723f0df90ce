#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists the EC2 instances of a region. Credentials come from where the AWS command line takes them.

    python3 list_workers.py us-west-2
"""
import ctypes
import json
import sys

library = ctypes.CDLL("libcpi_aws.so.0")
# not c_char_p: that would be a copy, and the text itself would never be freed
library.cpi_aws_execute.restype = ctypes.c_void_p
library.cpi_aws_execute.argtypes = [ctypes.c_char_p] * 3
library.cpi_aws_free.argtypes = [ctypes.c_void_p]


def execute(action, settings, **parameters):
    """The answer of an action, as a dict."""
    text = library.cpi_aws_execute(json.dumps(settings).encode(), action.encode(), json.dumps(parameters).encode())
    if text is None:
        raise MemoryError
    try:
        return json.loads(ctypes.string_at(text))
    finally:
        library.cpi_aws_free(text)


def main():
    """One line an instance."""
    answer = execute("list_workers", {"region": sys.argv[1]} if len(sys.argv) > 1 else {})
    if not answer["success"]:
        sys.exit(answer["error"]["message"])
    for worker in answer["workers"]:
        print(worker["id"], worker["name"], worker["state"], worker["public_ip"] or worker["private_ip"] or "-")


if __name__ == "__main__":
    main()
