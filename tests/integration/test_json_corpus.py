# SPDX-License-Identifier: Apache-2.0
"""Whether the corpus of JSON texts (tests/json) says the truth, judged by a parser that someone else wrote: Python's, made
as strict as RFC 8259 and our limits are. Needs none of our programs; the reader itself is tests/unit/test_json_read.c."""
import importlib.util
import json
import pathlib

import pytest

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "json"
MAX_DEPTH = 64


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def check_text(text):
    text.encode("utf-8")  # a lone surrogate has no UTF-8


def check_value(value, depth):
    """Depth and whole surrogate pairs, which Python's parser does not ask for. Objects come as lists of pairs in a tuple."""
    if isinstance(value, str):
        check_text(value)
        return
    if not isinstance(value, (list, tuple)):
        return
    if depth == MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, list):
        children = value
    else:
        for key, _ in value:
            check_text(key)
        children = [child for _, child in value]
    for child in children:
        check_value(child, depth + 1)


def is_json(data):
    try:
        text = data.decode("utf-8", errors="strict")
        value = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=tuple, strict=True)
        check_value(value, 0)
    except (ValueError, RecursionError):
        return False
    return True


def test_corpus_is_large_enough():
    assert len(list((CORPUS / "accept").glob("*.json"))) >= 100
    assert len(list((CORPUS / "refuse").glob("*.json"))) >= 100


@pytest.mark.parametrize("kind", ["accept", "refuse"])
def test_independent_parser_agrees(kind):
    wrong = [path.name for path in sorted((CORPUS / kind).glob("*.json")) if is_json(path.read_bytes()) != (kind == "accept")]
    assert wrong == []


def test_generator_writes_the_committed_files():
    spec = importlib.util.spec_from_file_location("make_corpus", CORPUS / "make_corpus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = {("accept" if good else "refuse", f"{name}.json"): text for good, name, text in module.texts()}
    there = {(path.parent.name, path.name): path.read_bytes() for path in CORPUS.glob("*/*.json")}
    assert made == there
