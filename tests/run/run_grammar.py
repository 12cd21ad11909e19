#!/usr/bin/env python3
"""Every ```hc block of grammar/GRAMMAR.md is a whole file, and `hcc check` accepts it; the gradients of its
models are right (one in four each time; all of them with HCC_TEST_EVERYTHING=1).

A block marked ```hc wrong is refused with exit code 1; other fences are not looked at. And the words of
grammar/words.def are those of the grammar, of the page and of the compiler at hand: nobody else lists them."""

import argparse
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

FENCE = re.compile(r"^```hc( wrong)?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)

MODEL = re.compile(r"^model (\w+) \{", re.MULTILINE)
LOSS = re.compile(r"^\s+loss ", re.MULTILINE)

ROW = re.compile(r'^(STATEMENT|DEFINITION|BOTH|REDUCTION|WORD)\("(\w+)", (\w+)(?:, (\w+))?', re.MULTILINE)


def file_text(name):
    with open(os.path.join(harness.ROOT, "grammar", name), encoding="utf-8") as source:
        return source.read()


def words():
    """(reserved, contextual): text -> token, as words.def has them, in its order."""
    rows = ROW.findall(file_text("words.def"))
    assert [row[1] for row in rows] == sorted(row[1] for row in rows), "words.def is not in the order of the alphabet"
    reserved = {text: "REDUCTION" if row == "REDUCTION" else token for row, text, token, standing in rows
                if row == "REDUCTION" or standing == "RESERVED"}
    return reserved, {text: token for _, text, token, standing in rows if standing == "CONTEXTUAL"}


def grammar_words():
    """The same of hc.y: what has a text of letters, and what `contextual` may be."""
    text = file_text("hc.y")
    tokens = {}
    for line in re.findall(r"^%token (.*)$", text, re.MULTILINE):
        tokens.update((word, token) for token, word in re.findall(r'(\w+) "([a-z]+)"', line))
    for word in ("weight", "in", "as"):
        del tokens[word]  # the token stream's: they stand behind a value alone
    contextual = re.search(r"^contextual\n  :(.*?);", text, re.MULTILINE | re.DOTALL).group(1)
    return tokens, set(re.findall(r"\w+", contextual))


def page_words(text):
    """The same of the page: its two lists."""
    lists = re.findall(r"\n\n((?:    [a-z ]+\n)+)", text[text.index("**Reserved words**"):])
    return set(lists[0].split()), set(lists[1].split())


def check_words(hcc_page):
    """What is wrong with the words, a line each."""
    reserved, contextual = words()
    tokens, names = grammar_words()
    plain = {text: token for text, token in {**reserved, **contextual}.items() if token != "REDUCTION"}
    if tokens != plain:
        yield f"hc.y's tokens are not words.def's: {sorted(set(tokens.items()) ^ set(plain.items()))}"
    if names != set(contextual.values()):
        yield f"hc.y's `contextual` is not words.def's: {sorted(names ^ set(contextual.values()))}"
    if page_words(hcc_page) != (set(reserved), set(contextual)):
        yield "GRAMMAR.md does not list the words of words.def"


def check_names(folder):
    """Contextual words are names, reserved ones are not."""
    reserved, contextual = words()
    for text in [*reserved, *contextual]:
        path = os.path.join(folder, f"word-{text}.hc")
        with open(path, "w", encoding="utf-8") as to:
            to.write(f"fn f(a) -> b {{\n  let {text} = 2 * a;\n  let b = {text} + 1;\n}}\n")
        result = harness.hcc("check", path)
        if result.code != (1 if text in reserved else 0):
            yield f"`{text}` as a name: {result!r}"
        elif text in reserved and "is a reserved word and cannot be a name" not in result.err:
            yield f"`{text}` is refused for something else: {result!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--file", default=os.path.join(harness.ROOT, "grammar", "GRAMMAR.md"))
    arguments = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(arguments.hcc)
    with open(arguments.file, encoding="utf-8") as source:
        text = source.read()
    passed = failed = 0
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            path = os.path.join(folder, f"grammar-line-{line}.hc")
            with open(path, "w", encoding="utf-8") as to:
                to.write(match.group(2))
            result = harness.hcc("check", path)
            if result.code == (1 if match.group(1) else 0):
                passed += 1
                if LOSS.search(match.group(2)) and not match.group(1):
                    models += [(path, name) for name in MODEL.findall(match.group(2))]
            else:
                failed += 1
                print(f"FAILED the block at line {line}: {result!r}")
        for path, name in harness.share(models, 4):
            result = harness.hcc("gradcheck", path, "--model", name, "--set", "train.batch=2")
            passed, failed = passed + (result.code == 0), failed + (result.code != 0)
            if result.code:
                print(f"FAILED gradients of {name}: {result!r}")
        if passed + failed == 0:
            print("no ```hc block found")
            failed = 1
        for check in (check_words(text), check_names(folder)):
            wrong = list(check)
            passed, failed = passed + (not wrong), failed + len(wrong)
            print("\n".join(f"FAILED {line}" for line in wrong), end="\n" if wrong else "")
    harness.totals(passed, failed)


if __name__ == "__main__":
    main()
