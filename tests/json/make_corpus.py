#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of JSON texts beside it: accept/ holds texts of RFC 8259's grammar within our limits (one root, depth
64, UTF-8, whole surrogate pairs), refuse/ everything else. The files are committed; this says where each comes from, and
the same texts come out each time. What reads them: tests/unit/test_json_read.c, tests/integration/test_json_corpus.py."""
import pathlib
import sys

DEPTH = 64


def blanks():
    for name, blank in {"space": b" ", "tab": b"\t", "lf": b"\n", "cr": b"\r", "crlf": b"\r\n", "mixed": b" \t\r\n "}.items():
        yield True, f"blank-{name}-around-all", blank + b"[" + blank + b"1" + blank + b"," + blank + b'{' + blank + b'"a"' \
            + blank + b":" + blank + b"2" + blank + b"}" + blank + b"]" + blank
        yield True, f"blank-{name}-behind-bare-number", b"7" + blank
        yield False, f"blank-{name}-only", blank
    for name, blank in {"form-feed": b"\f", "vertical-tab": b"\v", "nbsp": b"\xc2\xa0", "line-separator": b"\xe2\x80\xa8",
                        "ideographic": b"\xe3\x80\x80", "nul": b"\0", "backspace": b"\b", "del": b"\x7f"}.items():
        yield False, f"blank-{name}-in-array", b"[1," + blank + b"2]"
        yield False, f"blank-{name}-behind", b"[1]" + blank
        yield False, f"blank-{name}-before", blank + b"[1]"
    yield False, "empty", b""
    yield False, "bom-utf8", b"\xef\xbb\xbf{}"
    yield False, "bom-alone", b"\xef\xbb\xbf"
    yield False, "bom-behind-blank", b" \xef\xbb\xbf[]"
    yield False, "bom-cut", b"\xef\xbb[]"
    yield False, "utf16-le", '[1]'.encode("utf-16")
    yield False, "utf16-be", '[1]'.encode("utf-16-be")
    yield False, "utf32-be", '[1]'.encode("utf-32-be")


def literals():
    for word in ("true", "false", "null"):
        yield True, f"literal-{word}", word.encode()
        yield True, f"literal-{word}-in-array", f"[{word}]".encode()
        yield True, f"literal-{word}-in-object", f'{{"a":{word}}}'.encode()
        yield False, f"literal-{word}-cut", word[:-1].encode()
        yield False, f"literal-{word}-cut-in-array", f"[{word[:-1]}]".encode()
        yield False, f"literal-{word}-longer", f"{word}x".encode()
        yield False, f"literal-{word}-longer-in-array", f"[{word}1]".encode()
        yield False, f"literal-{word}-upper", word.upper().encode()
        yield False, f"literal-{word}-capital", f"[{word.capitalize()}]".encode()
        yield False, f"literal-{word}-as-key", f"{{{word}:1}}".encode()
        yield False, f"literal-{word}-first-letter", word[:1].encode()
    for word in ("NaN", "Infinity", "-Infinity", "-NaN", "nan", "inf", "undefined", "None", "nil", "nul\0", "a", "_", "$"):
        name = word.replace("-", "minus-").replace("\0", "-nul").replace("$", "dollar").replace("_", "underscore")
        yield False, f"word-{name}", word.encode()
        yield False, f"word-{name}-in-array", f"[{word}]".encode()


def numbers():
    good = ["0", "-0", "1", "-1", "9", "10", "1234567890", "0.0", "-0.0", "0.5", "1.5", "10.25", "1.000", "0.00000001",
            "1e5", "1E5", "1e+5", "1E+5", "1e-5", "1E-5", "0e0", "0e+1", "-0e-0", "0E10", "1.5e3", "-1.5E-3", "1e00", "1e05",
            "1e999", "-1e999", "1e-999", "9007199254740993", "9223372036854775807", "-9223372036854775808",
            "9223372036854775808", "18446744073709551616", "1" * 400, "0." + "1" * 400, "1e" + "0" * 60 + "1"]
    bad = [".5", "-.5", "01", "-01", "00", "-00", "007", "1.", "-1.", "0.", "1.e5", "1.E+2", ".e1", "+1", "+0", "+", "-", "--1",
           "-+1", "1-", "1e", "1E", "1e+", "1E-", "1e1.5", "1e 5", "1 e5", "- 1", "1.2.3", "1e5e5", "0x10", "0X1f", "0b1", "0o7",
           "1_000", "1,000", "1 000", "1f", "1d", "1L", "0e", "0.e", "-e5", "e5", "E5", "1a", "1/2", "1+1", "2.", "\u0661",
           "\uff11", "1\u0660", "-x", "0x", "1e0x1", "1'000", "0123.5", "1e+-5"]
    for index, text in enumerate(good):
        yield True, f"number-{index:02}", text.encode()
        yield True, f"number-{index:02}-in-array", f"[{text},{text} ]".encode()
    for index, text in enumerate(bad):
        yield False, f"number-{index:02}", text.encode()
        if text != "1,000":
            yield False, f"number-{index:02}-in-array", f"[{text}]".encode()
        yield False, f"number-{index:02}-in-object", f'{{"a":{text}}}'.encode()


def strings():
    def pair(name, good, body):
        yield good, f"string-{name}", b'"' + body + b'"'
        yield good, f"string-{name}-as-key", b'{"' + body + b'":0}'
        yield good, f"string-{name}-inside", b'["x' + body + b'y"]'

    good = {"empty": b"", "ascii": bytes(c for c in range(0x20, 0x7f) if c not in b'"\\'), "del": b"\x7f",
            "escapes": rb'\"\\\/\b\f\n\r\t', "u-escape": rb"\u0041\u00e9\u20ac", "u-escape-case": rb"\uabcd\uABCD\uaBcD",
            "u-nul": rb"a\u0000b", "u-control": rb"\u0001\u001f\u007f", "u-quote": rb"\u0022\u005c", "u-backslash-n": rb"\\n",
            "u-ffff": rb"\uffff\ufffe\ufeff", "u-below-surrogates": rb"\ud7ff", "u-above-surrogates": rb"\ue000",
            "pair": rb"\ud83d\ude00", "pair-lowest": rb"\ud800\udc00", "pair-highest": rb"\udbff\udfff", "pair-upper": rb"\uD834\uDD1E",
            "two-pairs": rb"\ud83d\ude00\ud83d\ude01", "backslash-u-text": rb"\\ud800", "slash": b"/", "quote-single": b"'",
            "utf8-2": "\u0080\u07ff".encode(), "utf8-3": "\u0800\ud7ff\ue000\uffff".encode(), "utf8-4": "\U00010000\U0010ffff".encode(),
            "utf8-separators": "\u2028\u2029\u0085".encode(), "utf8-bom-inside": "\ufeff".encode(), "utf8-noncharacter": "\ufdd0".encode(),
            "brackets": b"[]{},:", "long": b"a" * 5000, "many-escapes": rb"\n" * 2000}
    for name, body in good.items():
        yield from pair(name, True, body)
    bad = {"escape-unknown": rb"\x", "escape-x41": rb"\x41", "escape-a": rb"\a", "escape-v": rb"\v", "escape-0": rb"\0",
           "escape-quote-single": rb"\'", "escape-upper-u": rb"\U0041", "escape-upper-n": rb"\N", "escape-blank": rb"\ ",
           "escape-line-break": b"\\\n", "escape-nul": b"\\\0", "escape-utf8": b"\\\xc3\xa9", "escape-brace": rb"\u{41}",
           "u-3-digits": rb"\u004", "u-2-digits": rb"\u00", "u-1-digit": rb"\u0", "u-0-digits": rb"\u", "u-bad-digit-1": rb"\ug000",
           "u-bad-digit-4": rb"\u000g", "u-minus": rb"\u-001", "u-plus": rb"\u+041", "u-blank": rb"\u 041", "u-0x": rb"\u0x41",
           "u-fullwidth": "\\u\uff11\uff11\uff11\uff11".encode(),
           "lone-high": rb"\ud800", "lone-low": rb"\udc00", "lone-high-last": rb"\udbff", "lone-low-last": rb"\udfff",
           "low-high": rb"\ude00\ud83d", "high-high": rb"\ud83d\ud83d", "low-low": rb"\ude00\ude00", "high-text-low": rb"\ud83dx\ude00",
           "high-high-low": rb"\ud83d\ud83d\ude00", "high-low-low": rb"\ud83d\ude00\ude00", "pair-high": rb"\ud83d\ude00\ud83d",
           "high-escape-low": rb"\ud83d\n\ude00", "high-plain-u": rb"\ud83d\u0041", "high-u-cut": rb"\ud83d\ude0", "high-backslash": rb"\ud83d\\ude00",
           "high-u-nothing": rb"\ud83d\u", "high-utf8-low": b"\\ud83d\xed\xb8\x80", "high-upper-u": rb"\ud83d\Ude00"}
    for code in list(range(0x20)):
        bad[f"control-{code:02x}"] = bytes([code])
    bad.update({
        "utf8-continuation": b"\x80", "utf8-continuation-last": b"\xbf", "utf8-c0": b"\xc0\x80", "utf8-c1": b"\xc1\xbf",
        "utf8-overlong-slash": b"\xc0\xaf", "utf8-overlong-3": b"\xe0\x80\xaf", "utf8-overlong-3-last": b"\xe0\x9f\xbf",
        "utf8-overlong-4": b"\xf0\x80\x80\xaf", "utf8-overlong-4-last": b"\xf0\x8f\xbf\xbf", "utf8-surrogate-first": b"\xed\xa0\x80",
        "utf8-surrogate-last": b"\xed\xbf\xbf", "utf8-surrogate-pair": b"\xed\xa0\xbd\xed\xb8\x80", "utf8-above": b"\xf4\x90\x80\x80",
        "utf8-f5": b"\xf5\x80\x80\x80", "utf8-5-bytes": b"\xf8\x88\x80\x80\x80", "utf8-6-bytes": b"\xfc\x84\x80\x80\x80\x80",
        "utf8-fe": b"\xfe", "utf8-ff": b"\xff", "utf8-cut-2": b"\xc3", "utf8-cut-3-1": b"\xe2", "utf8-cut-3-2": b"\xe2\x82",
        "utf8-cut-4-1": b"\xf0", "utf8-cut-4-2": b"\xf0\x9f", "utf8-cut-4-3": b"\xf0\x9f\x98", "utf8-bad-third": b"\xe2\x82\x41",
        "utf8-bad-fourth": b"\xf0\x9f\x98\x41", "utf8-two-leads": b"\xc3\xc3\xa9", "utf8-extra": b"\xc3\xa9\xa9", "latin1": b"\xe9t\xe9",
    })
    for name, body in bad.items():
        yield from pair(name, False, body)
    for name, text in {"open": b'"', "open-text": b'"abc', "open-escape": b'"abc\\', "open-escaped-quote": b'"abc\\"', "open-u": b'"\\u',
                       "open-u12": b'"\\u12', "open-pair": b'"\\ud83d\\ude0', "open-high": b'"\\ud83d', "open-utf8": b'"\xe2\x82',
                       "open-in-array": b'["a', "open-in-array-closed": b'["a]', "open-key": b'{"a', "close-only": b'abc"', "single": b"'a'",
                       "single-in-array": b"['a']", "single-key": b"{'a':1}", "backtick": b"`a`", "unquoted": b"abc", "unquoted-key": b"{a:1}",
                       "typographic": "\u201ca\u201d".encode(), "two": b'"a" "b"', "two-joined": b'"a""b"', "then-text": b'"a"b',
                       "escape-outside": b"\\u0031", "u-quote-end": b'"a\\u0022', "newline-escaped-outside": b"[1,\\n2]"}.items():
        yield False, f"string-bad-{name}", text


def structure():
    good = {"array-empty": "[]", "object-empty": "{}", "array-one": "[1]", "array-nested": "[[],[[]],[[],[]]]", "object-one": '{"a":1}',
            "object-two": '{"a":1,"b":2}', "object-nested": '{"a":{"b":{"c":[{"d":{}}]}}}', "key-empty": '{"":0}', "key-repeated": '{"a":1,"a":2}',
            "key-repeated-thrice": '{"a":1,"b":0,"a":[2],"a":{"a":3,"a":4}}', "key-repeated-by-escape": '{"a":1,"\\u0061":2}', "array-mixed":
            '[null,true,false,0,-1.5e3,"x",[],{}]', "object-mixed": '{"n":null,"t":true,"f":false,"i":0,"s":"x","a":[],"o":{}}',
            "objects-in-array": '[{"a":1},{"b":[2]},{}]', "arrays-in-object": '{"a":[1,2],"b":[[3],[4]]}', "array-long": "[" + ",".join("1" * 1 for _ in range(3000)) + "]",
            "object-long": "{" + ",".join(f'"k{i}":{i}' for i in range(1000)) + "}", "key-looks-like-number": '{"1":1,"-1":2,"1e5":3}',
            "key-looks-like-literal": '{"true":true,"null":null}', "request": '{"method":"info","arguments":[],"context":{"director_uuid":"d","request_id":"1"},"api_version":2}'}
    for name, text in good.items():
        yield True, name, text.encode()
    bad = {"object-key-only": '{"a"}', "object-key-colon": '{"a":}', "object-comma-behind": '{"a":1,}', "object-comma-only": "{,}",
           "object-comma-before": '{,"a":1}', "object-two-commas": '{"a":1,,"b":2}', "object-no-comma": '{"a":1 "b":2}', "object-no-colon": '{"a" 1}',
           "object-two-colons": '{"a"::1}', "object-three-parts": '{"a":1:2}', "object-equals": '{"a"=1}', "object-arrow": '{"a"=>1}', "object-semicolon": '{"a":1;"b":2}',
           "object-colon-only": "{:}", "object-no-key": "{:1}", "object-value-only": "{1}", "object-number-key": "{1:1}", "object-array-key": "{[]:1}",
           "object-object-key": "{{}:1}", "object-null-key": "{null:1}", "object-key-list": '{"a","b"}', "object-key-second": '{"a":1,"b"}', "object-unclosed": '{"a":1',
           "object-unclosed-comma": '{"a":1,', "object-unclosed-colon": '{"a":', "object-unclosed-key": '{"a"', "object-unclosed-empty": "{", "object-comma-for-colon": '{"a",1}',
           "array-comma-behind": "[1,]", "array-comma-before": "[,1]", "array-comma-only": "[,]", "array-two-commas": "[1,,3]", "array-no-comma": "[1 2]",
           "array-colon": "[1:2]", "array-key": '["a":1]', "array-semicolon": "[1;2]", "array-unclosed": "[1", "array-unclosed-comma": "[1,", "array-unclosed-empty": "[",
           "array-unclosed-inner": "[[1]", "array-no-comma-strings": '["a" "b"]', "array-no-comma-arrays": "[[][]]", "array-no-comma-objects": "[{}{}]", "array-no-comma-literal": "[true false]",
           "brackets-crossed": "[}", "brackets-crossed-2": "{]", "brackets-crossed-3": '{"a":[}]', "brackets-crossed-4": '[{"a":1]}', "close-array-only": "]", "close-object-only": "}",
           "close-twice-array": "[]]", "close-twice-object": "{}}", "close-before-open": "][", "two-objects": "{} {}", "two-objects-joined": "{}{}", "two-arrays": "[][]", "two-numbers": "1 2",
           "two-literals": "true null", "two-roots-lines": "{}\n{}", "two-roots-comma": "1,2", "comma-alone": ",", "comma-behind-root": "{},", "comma-before-root": ",{}", "colon-alone": ":",
           "colon-root": '"a":1', "comment-line": "// c\n{}", "comment-line-behind": "{} // c", "comment-block": "/* c */ {}", "comment-block-inside": "[1,/* c */2]", "comment-hash": "# c\n{}",
           "comment-sql": "-- c\n{}", "nul-behind": "{}\0", "nul-behind-number": "1\0", "nul-before": "\0{}", "nul-inside": "[1\0,2]", "nul-only": "\0", "nul-in-object": '{"a"\0:1}',
           "nul-then-garbage": "{}\0garbage", "parens": "(1)", "html": "<a/>", "yaml": "a: 1", "xssi": ")]}',\n{}", "ellipsis": "[1,...]", "spread": "[...[]]", "star": "*", "ampersand": "&", "at": "@",
           "json-seq": "\x1e{}\n", "padded-json": "{}padding", "backslash": "\\", "slash": "/", "percent": "%7B%7D", "lone-ff": None, "assign": "a=1", "function": "f({})", "regex": "[/a/]",
           "date": "[2026-01-31]", "time": "[10:20]", "ip": "[169.254.169.254]", "uuid": "[550e8400-e29b-41d4-a716-446655440000]", "percent-num": "[10%]", "sum": "[1+2]", "key-without-quote-end": '{"a:1}',
           "key-comma-inside-array": '[{"a":1,}]', "array-comma-inside-object": '{"a":[1,]}', "value-missing-inside": '[{"a":}]', "deep-unclosed": "[" * DEPTH, "deep-unclosed-objects": '{"a":' * DEPTH}
    for name, text in bad.items():
        yield False, name, b"\xff" if text is None else text.encode()


def depth():
    for good, levels in ((True, DEPTH - 1), (True, DEPTH), (False, DEPTH + 1), (False, DEPTH + 2), (False, 10000)):
        yield good, f"depth-{levels:05}-arrays", b"[" * levels + b"]" * levels
        if levels < 1000:
            yield good, f"depth-{levels:05}-objects", b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)
            yield good, f"depth-{levels:05}-in-turn", (b'[{"a":' * (levels // 2) + (b"[]" if levels % 2 else b"1")
                                                       + b"}]" * (levels // 2))
            yield good, f"depth-{levels:05}-again", b"[" + b",".join([b"[" * (levels - 1) + b"0" + b"]" * (levels - 1)] * 3) + b"]"
    yield False, "depth-10000-open-only", b"[" * 10000
    yield False, "depth-00065-second", b"[[]," + b"[" * DEPTH + b"]" * DEPTH + b"]"


def texts():
    """(whether it is JSON, name, bytes) of each."""
    seen = set()
    for part in (blanks, literals, numbers, strings, structure, depth):
        for good, name, text in part():
            assert (good, name) not in seen, name
            seen.add((good, name))
            yield good, name, text


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for good, name, text in texts():
        directory = root / ("accept" if good else "refuse")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.json").write_bytes(text)


if __name__ == "__main__":
    main()
