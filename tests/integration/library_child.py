# SPDX-License-Identifier: Apache-2.0
"""A host of libcpi_aws.so: a line of JSON on standard input is one call or several at the same time, and its answer a line on the
descriptor that is named. Standard output and standard error are left to the library, which has no business there."""
import ctypes
import json
import os
import sys
import threading

TEXTS = ("cpi_aws_default_settings", "cpi_aws_list_actions", "cpi_aws_action_definition", "cpi_aws_execute")
CONSTANTS = ("cpi_aws_version", "cpi_aws_name", "cpi_aws_provider_type")


def load(path):
    """The library, its functions declared."""
    library = ctypes.CDLL(path)
    for name in TEXTS:
        getattr(library, name).restype = ctypes.c_void_p
    for name in CONSTANTS:
        getattr(library, name).restype = ctypes.c_char_p
    library.cpi_aws_free.argtypes = [ctypes.c_void_p]
    return library


def call(library, name, texts):
    """What a function gives for texts, as a string, or None."""
    result = getattr(library, name)(*[None if text is None else text.encode("utf-8", "surrogateescape") for text in texts])
    if name in CONSTANTS:
        return result.decode()
    if result is None:
        return None
    try:
        return ctypes.string_at(result).decode()
    finally:
        library.cpi_aws_free(result)


def main():
    """Until standard input ends."""
    library = load(sys.argv[1])
    answers_fd = int(sys.argv[2])
    for line in sys.stdin:
        calls = json.loads(line)
        answers = [None] * len(calls)

        def work(number, name, texts, into=answers):
            into[number] = call(library, name, texts)

        threads = [threading.Thread(target=work, args=(i, *each)) for i, each in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.write(answers_fd, json.dumps(answers).encode() + b"\n")


if __name__ == "__main__":
    main()
