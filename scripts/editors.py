#!/usr/bin/env python3
"""Writes the words of the language into what editors colour it by, from grammar/words.def.

    python3 scripts/editors.py            writes editors/vim/syntax/hc.vim and
                                          editors/vscode/syntaxes/hc.tmLanguage.json
    python3 scripts/editors.py --check    exit code 1 when they are out of date
"""

import argparse
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROW = re.compile(r'^(STATEMENT|DEFINITION|BOTH|REDUCTION|WORD)\("(\w+)", \w+(?:, (\w+))?', re.MULTILINE)
FLOW = {"else", "for", "if", "iterate", "repeat", "scan"}
VALUES = {"false", "true"}


def words():
    """Of each colour its words, and which words are others elsewhere (they begin a statement)."""
    with open(os.path.join(ROOT, "grammar", "words.def"), encoding="utf-8") as table:
        rows = ROW.findall(table.read())
    colours = {"definition": [], "statement": [], "flow": [], "value": [], "reduction": []}
    contextual = []
    for row, word, standing in rows:
        colour = ("flow" if word in FLOW else "value" if word in VALUES else
                  "definition" if row == "DEFINITION" else
                  "reduction" if row == "REDUCTION" else "statement")
        colours[colour].append(word)
        if standing == "CONTEXTUAL":
            contextual.append(word)
    return colours, set(contextual)


# --- vim -----------------------------------------------------------------------------------------

VIM = r'''" Vim syntax file
" Language: hc (networks with hyper-connections); written by scripts/editors.py from the grammar's words
if exists("b:current_syntax")
  finish
endif

%(words)s
syntax match hcNumber "\v<\d+(\.\d+)?([eE][+-]?\d+)?>"
syntax match hcFunction "\v<\h\w*\ze\("
syntax match hcOperator "\v[-+*/%%^=<>!&|~]|->"
syntax region hcString start=/"/ skip=/\\./ end=/"/ oneline
syntax match hcComment "//.*" contains=hcTodo,@Spell
syntax match hcDoc "\v///[^/].*|///$" contains=@Spell
syntax region hcComment start="/\*" end="\*/" contains=hcTodo,@Spell
syntax keyword hcTodo TODO FIXME XXX contained

highlight default link hcDefinition Structure
highlight default link hcStatement Statement
highlight default link hcFlow Repeat
highlight default link hcValue Boolean
highlight default link hcReduction Function
highlight default link hcNumber Number
highlight default link hcFunction Identifier
highlight default link hcOperator Operator
highlight default link hcString String
highlight default link hcComment Comment
highlight default link hcDoc SpecialComment
highlight default link hcTodo Todo

let b:current_syntax = "hc"
'''


def vim_text():
    colours, contextual = words()
    lines = []
    for colour, all_words in colours.items():
        group = "hc" + colour.capitalize()
        always = [word for word in all_words if word not in contextual]
        begins = [word for word in all_words if word in contextual]
        if colour == "reduction":
            lines.append(rf'syntax match {group} "\v<({"|".join(always)})\ze\s*\["')
        elif always:
            lines.append(f"syntax keyword {group} {' '.join(always)}")
        if begins:
            lines.append(rf'syntax match {group} "\v(^|[;{{}}])\s*\zs<({"|".join(begins)})>\ze\s*[^=.(\[ ]"')
    return VIM % {"words": "\n".join(lines)}


# --- TextMate ------------------------------------------------------------------------------------

SCOPES = {"definition": "storage.type.hc", "statement": "keyword.other.hc", "flow": "keyword.control.hc",
          "value": "constant.language.hc", "reduction": "support.function.reduction.hc"}


def textmate_words():
    colours, contextual = words()
    for colour, all_words in colours.items():
        always = [word for word in all_words if word not in contextual]
        begins = [word for word in all_words if word in contextual]
        if begins:
            yield {"match": rf"(?:^|(?<=[;{{}}]))\s*({'|'.join(begins)})\b(?=\s*[^=.(\[\s])",
                   "captures": {"1": {"name": SCOPES[colour]}}}
        if always:
            behind = r"(?=\s*\[)" if colour == "reduction" else ""
            yield {"name": SCOPES[colour], "match": rf"\b({'|'.join(always)})\b{behind}"}


def textmate_text():
    grammar = {
        "comment": "Written by scripts/editors.py from the grammar's words.",
        "name": "hc", "scopeName": "source.hc", "fileTypes": ["hc"],
        "patterns": [
            {"name": "comment.line.documentation.hc", "match": r"///(?!/).*$"},
            {"name": "comment.line.double-slash.hc", "match": r"//.*$"},
            {"name": "comment.block.hc", "begin": r"/\*", "end": r"\*/"},
            {"name": "string.quoted.double.hc", "begin": '"', "end": '"|$',
             "patterns": [{"name": "constant.character.escape.hc", "match": r"\\."}]},
            *textmate_words(),
            {"name": "constant.numeric.hc", "match": r"\b\d+(\.\d+)?([eE][+-]?\d+)?\b"},
            {"name": "entity.name.function.hc", "match": r"\b[A-Za-z_]\w*(?=\()"},
            {"name": "keyword.operator.hc", "match": r"->|[-+*/%^=<>!&|~]"},
        ],
    }
    return json.dumps(grammar, indent=2) + "\n"


FILES = {os.path.join("editors", "vim", "syntax", "hc.vim"): vim_text,
         os.path.join("editors", "vscode", "syntaxes", "hc.tmLanguage.json"): textmate_text}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = []
    for name, text in FILES.items():
        path = os.path.join(ROOT, name)
        if arguments.check:
            with open(path, encoding="utf-8") as file:
                if file.read() != text():
                    old.append(name)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text())
    for name in old:
        print(f"{name} is not what scripts/editors.py writes", file=sys.stderr)
    sys.exit(1 if old else 0)


if __name__ == "__main__":
    main()
