#!/usr/bin/env python3
"""Tokenizers: what is read of their files and what is refused, made ones, and the same tokens as the
`tokenizers` package's."""

import json
import math
import os
import pty
import re
import subprocess
import sys
import termios

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import harness

LACKING = harness.lacking("tokenizers")

LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def letters():
    """The letter of each byte, as GPT-2's vocabularies write it."""
    seen = [*range(33, 127), *range(0xa1, 0xad), *range(0xae, 0x100)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return [chr(byte if byte in seen else 0x100 + hidden.index(byte)) for byte in range(256)]


LETTERS = letters()


def small(**changes):
    """A tokenizer.json with the bytes and two merges: `lo` is 256, `low` 257; dotted names change it."""
    vocabulary = {letter: byte for byte, letter in enumerate(LETTERS)}
    vocabulary.update({"lo": 256, "low": 257})
    made = {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added("<|endoftext|>", 258)], "normalizer": None,
            "pre_tokenizer": byte_level(),
            "post_processor": None, "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "vocab": vocabulary,
                      "merges": ["l o", ["lo", "w"]]}}
    for name, value in changes.items():
        *path, last = name.split("__")
        at = made
        for key in path:
            at = at[key]
        at[last] = value
    return json.dumps(made)


def added(content, number, **more):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **more}


def byte_level(**more):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **more}


def split(pattern, **more):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False, **more},
        byte_level(use_regex=False)]}


def some_text(size):
    """Text of this repository's, with what patterns stumble over."""
    odd = ("don't I'LL we\u2019re  \n\n\t x   y\r\n\r\n123456 ½ ٣٤ e\u0301 ſ's <|endoftext|>low<|endoftext|> 日本語のテキスト "
           "\u0085\u00a0\u180e\u2028\u3000z 🙂👍🏽 end ")
    text = []
    for folder in ("docs", "runtime/run", "compiler/sema", "compiler/plan"):
        for name in sorted(os.listdir(os.path.join(harness.ROOT, folder))):
            path = os.path.join(harness.ROOT, folder, name)
            if os.path.isfile(path):
                with open(path, encoding="utf-8", newline="") as file:
                    text.append(file.read())
    text = odd.join(text)
    while len(text) < size:
        text += odd + text
    return text[:size] + odd


class Tokenize(harness.TestCase):
    def tokens(self, text, tokenizer, code=0):
        result = harness.hcc("tokenize", "-", "--tokenizer", tokenizer, stdin=text)
        self.expect(result, code)
        return [int(word) for word in result.out.split()] if code == 0 else result.err

    def test_merges_and_added_tokens(self):
        path = self.write("tokenizer.json", small())
        self.assertEqual(self.tokens("low lo", path), [257, 32, 256])
        self.assertEqual(self.tokens("lo<|endoftext|>w", path), [256, 258, ord("w")])
        self.assertEqual(self.tokens("é", path), [0xc3, 0xa9])

    def test_the_longest_added_token_is_found_and_normalized_ones_later(self):
        path = self.write("tokenizer.json", small(added_tokens=[
            added("<a", 258, normalized=True), added("<ab>", 259, normalized=True), added("b>", 260)]))
        self.assertEqual(self.tokens("<ab>", path), [258, 260])
        path = self.write("tokenizer.json", small(added_tokens=[added("<a", 258), added("<ab>", 259)]))
        self.assertEqual(self.tokens("<ab><ac", path), [259, 258, ord("c")])

    def test_a_template_puts_tokens_around_a_text(self):
        around = {"type": "TemplateProcessing",
                  "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}},
                             {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
                  "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [258], "tokens": []}}}
        path = self.write("tokenizer.json", small(post_processor=around))
        self.assertEqual(self.tokens("low", path), [258, 257])

    def test_a_word_that_is_a_token_ignores_merges(self):
        vocabulary = json.loads(small())["model"]["vocab"]
        path = self.write("tokenizer.json", small(model__vocab={**vocabulary, "xyz": 259}))
        self.assertEqual(self.tokens("xyz", path), [*b"xyz"])
        path = self.write("tokenizer.json", small(model__vocab={**vocabulary, "xyz": 259}, model__ignore_merges=True))
        self.assertEqual(self.tokens("xyz", path), [259])

    def test_gpt2_files(self):
        model = json.loads(small())["model"]
        self.write("vocab.json", json.dumps({**model["vocab"], "<|endoftext|>": 258}))
        self.write("merges.txt", "#version: 0.2\nl o\r\nlo w\n")
        for path in (self.folder, self.path("vocab.json")):
            self.assertEqual(self.tokens("low<|endoftext|> 12", path), [257, 258, 32, 49, 50])

    def test_files_and_back(self):
        text = some_text(20000)
        source = self.write("text.txt", text.encode())
        for size in (300, 1000):
            tokenizer = self.path(f"{size}.json")
            self.expect(harness.hcc("tokenize", source, "--train", str(size), "--out", tokenizer))
            for ending in ("bin", "npy"):
                out = self.path(f"{size}.{ending}")
                said = self.expect(harness.hcc("tokenize", source, "--tokenizer", tokenizer, "--out", out)).err
                tokens = int(re.search(rf"(\d+) tokens of {size}", said).group(1))
                back = self.path("back.txt")
                self.expect(harness.hcc("tokenize", out, "--decode", "--tokenizer", tokenizer, "--out", back, "--force"))
                with open(back, "rb") as file:
                    self.assertEqual(file.read(), text.encode())
            self.assertEqual((os.path.getsize(self.path(f"{size}.npy")) - 128),
                             os.path.getsize(self.path(f"{size}.bin")))
            self.assertEqual(os.path.getsize(self.path(f"{size}.bin")), 2 * tokens)

    def test_wide_vocabularies_take_32_bits(self):
        path = self.write("tokenizer.json", small(added_tokens=[added("<far>", 70000)]))
        source, out = self.write("text.txt", "low<far>"), self.path("out.bin")
        self.expect(harness.hcc("tokenize", source, "--tokenizer", path, "--out", out))
        with open(out, "rb") as file:
            self.assertEqual(file.read(), (257).to_bytes(4, "little") + (70000).to_bytes(4, "little"))
        self.assertEqual(harness.hcc("tokenize", out, "--decode", "--tokenizer", path).out, "low<far>")

    def test_making_is_repeatable_and_says_when_it_ends_early(self):
        source = self.write("text.txt", "aaa bbb aaa bbb\n")
        made = []
        for name in ("1.json", "2.json"):
            result = harness.hcc("tokenize", source, "--train", "4000", "--out", self.path(name))
            self.assertIn("no pair of them that makes at most 1024 bytes is in the text twice", self.expect(result).err)
            with open(self.path(name), "rb") as file:
                made.append(file.read())
        self.assertEqual(*made)
        self.assertEqual(len(self.tokens("aaa", self.path("1.json"))), 1)

    def test_texts_that_are_none(self):
        path = self.write("tokenizer.json", small())
        for name, text in (("a", b"a\xffb"), ("b", b"\xc3"), ("c", b"\xed\xa0\x80")):
            source = self.write(name, text)
            for more in (("--tokenizer", path), ("--train", "300", "--out", self.path("o.json"))):
                self.assertIn("is not UTF-8", self.expect(harness.hcc("tokenize", source, *more), 3).err)
        vocabulary = json.loads(small())["model"]["vocab"]
        del vocabulary["z"]
        path = self.write("tokenizer.json", small(model__vocab=vocabulary))
        self.assertIn("byte 122, for which the tokenizer has no token", self.tokens("az", path, 3))

    def test_tokens_that_are_none(self):
        path = self.write("tokenizer.json", small())
        source = self.write("t.bin", (259).to_bytes(2, "little"))
        self.assertIn("token 0 is 259", self.expect(
            harness.hcc("tokenize", source, "--decode", "--tokenizer", path), 3).err)

    def test_command_lines_that_are_wrong(self):
        text, path = self.write("text.txt", "low"), self.write("tokenizer.json", small())
        for more, said in (((), "needs --tokenizer"), (("--train", "300"), "--train needs --out"),
                           (("--train", "256", "--out", "x.json"), "--train is 257"),
                           (("--train", "300", "--decode", "--out", "x"), "--train makes a tokenizer"),
                           (("--tokenizer", path, "--out", "x.txt"), "NAME.bin"),
                           (("--tokenizer", path, "--out", text), "NAME.bin")):
            self.assertIn(said, self.expect(harness.hcc("tokenize", text, *more), 2).err)

    def test_what_changes_the_result_is_refused_by_name(self):
        vocabulary = json.loads(small())["model"]["vocab"]
        cases = [
            (dict(normalizer={"type": "NFC"}), "`normalizer` is NFC"),
            (dict(truncation={"max_length": 4}), "`truncation` is set"),
            (dict(padding={"strategy": "Fixed"}), "`padding` is set"),
            (dict(pre_tokenizer=None), "`pre_tokenizer` is none"),
            (dict(pre_tokenizer={"type": "Metaspace"}), "`pre_tokenizer` is Metaspace"),
            (dict(pre_tokenizer={"type": "Sequence", "pretokenizers": [byte_level(), byte_level()]}), "ByteLevel before"),
            (dict(pre_tokenizer=byte_level(extra=1)), "ByteLevel.extra"),
            (dict(pre_tokenizer=split("a", behavior="MergedWithNext")), "MergedWithNext"),
            (dict(pre_tokenizer=split("(")), "the pattern is wrong"),
            (dict(post_processor={"type": "RobertaProcessing"}), "`post_processor` is RobertaProcessing"),
            (dict(decoder={"type": "WordPiece"}), "`decoder` is WordPiece"),
            (dict(model__type="Unigram"), "`model` is Unigram"),
            (dict(model__dropout=0.1), "`model.dropout`"),
            (dict(model__end_of_word_suffix="</w>"), "end_of_word_suffix"),
            (dict(model__continuing_subword_prefix="##"), "continuing_subword_prefix"),
            (dict(model__novelty=1), "`model.novelty`"),
            (dict(novelty=1), "`novelty`"),
            (dict(model__merges=["l o o"]), "not two tokens"),
            (dict(model__merges=["x y"]), "no token of the vocabulary"),
            (dict(model__merges=[["l", 1]]), "not two tokens"),
            (dict(model__merges=["日 本"]), "no letter"),
            (dict(model__vocab={**vocabulary, "x": 257}), "number 257"),
            (dict(model__vocab={**vocabulary, "x": -1}), "number -1"),
            (dict(model__vocab={**vocabulary, "x": 1 << 40}), "number 1099511627776"),
            (dict(model__vocab={**vocabulary, "x": "y"}), "no whole number"),
            (dict(model__vocab=[1]), "no object"),
            (dict(added_tokens=[added("low", 300)]), "two numbers"),
            (dict(added_tokens=[added("<x>", 257)]), "number 257, as another has"),
            (dict(added_tokens=[added("<x>", 300, lstrip=True)]), "`<x>` has `lstrip`"),
            (dict(added_tokens=[added("<x>", 300, single_word=True)]), "`<x>` has `single_word`"),
            (dict(added_tokens=[added("<x>", 300, novelty=True)]), "added_tokens.novelty"),
            (dict(added_tokens=[{"id": 300}]), "no id and content"),
        ]
        for part in (r"a{1,3}+", "^a", r"\w+", r"[a[b]]", r"[a&&b]", "(?m:a)", "(*UTF)a", "a{,3}"):
            cases.append((dict(pre_tokenizer=split(part)), "not supported"))
        del vocabulary["z"]
        cases.append((dict(model__vocab=vocabulary, model__unk_token="a"), "unk_token"))
        for changes, said in cases:
            with self.subTest(said=said, changes=str(changes)[:80]):
                path = self.write("tokenizer.json", small(**changes))
                err = self.tokens("low", path, 3)
                self.assertIn("tokenizer.json", err)
                self.assertIn(said, err)

    def test_files_that_are_none(self):
        for name, text, said in (("a.json", "{", "damaged"), ("b.json", "[1]", "no object"), ("c.json", "{}", "is no object"),
                                 ("empty.json", "", "damaged")):
            self.assertIn(said, self.tokens("x", self.write(name, text), 3))
        self.assertIn("cannot read", self.tokens("x", self.path("missing.json"), 3))
        os.mkdir(self.path("folder"))
        self.assertIn("holds no tokenizer", self.tokens("x", self.path("folder"), 3))
        self.write("vocab.json", "{}")
        self.assertIn("merges.txt", self.tokens("x", self.path("vocab.json"), 3))


MODEL = """model k {
  const v = 260;
  positions t <= 8;
  input  tokens[t] : token(v);
  target next[t]   : token(v);
  param T[v, 8] ~ normal(0.1);
  let x = embed(tokens, T);
  let logits[j] = sum[c] T[j,c] * x[c];
  loss cross_entropy(logits, next);
}
train k { data tokens { tokens[t] = tokens[t]; next[t] = tokens[t + 1]; held_out = 0.1; } batch 2; steps 4; eval_every 2; }
"""


class Runs(harness.TestCase):
    """Runs of tokens: their tokenizer stays with them."""

    def setUp(self):
        super().setUp()
        self.tokenizer = self.write("tokenizer.json", small())
        self.write("text.txt", "low lower lowest \u00e9 " * 40)
        self.hcc("tokenize", "text.txt", "--tokenizer", "tokenizer.json", "--out", "train.bin")
        self.write("k.hc", MODEL)

    def hcc(self, *arguments, code=0, **more):
        return self.expect(harness.hcc(*arguments, cwd=self.folder, **more), code)

    def train(self, *more, out="run", code=0):
        return self.hcc("train", "k.hc", "--data", "train.bin", "--out", out, "--quiet", *more, code=code)

    def test_text_in_and_out(self):
        self.train("--tokenizer", "tokenizer.json")
        os.remove(self.tokenizer)
        self.assertEqual(os.listdir(self.path("run/tokenizer")), ["tokenizer.json"])
        self.write("prompt.txt", "low \x1b\u00e9")
        results = [self.hcc("sample", "run", "--length", "6", *more).out for more in (
            ("--prompt", "low \x1b\u00e9"), ("--prompt-file", "prompt.txt"))]
        self.assertEqual(*results)
        self.assertTrue(results[0].startswith("low \x1b\u00e9"))
        texts = self.hcc("sample", "run", "--length", "6", "--prompt", "low", "--samples", "3").out.split("\n---\n")
        self.assertEqual(len(texts), 3)
        self.assertEqual(len(set(texts)), 3)
        self.assertEqual(texts[0] + "\n", self.hcc("sample", "run", "--length", "6", "--prompt", "low").out)
        likeliest = [self.hcc("sample", "run", "--length", "6", *more).out
                     for more in (("--temperature", "0"), ("--top-k", "1"), ("--top-p", "1e-9"))]
        self.assertEqual(len(set(likeliest)), 1)
        config = json.load(open(self.path("run/config.json"), encoding="utf-8"))["data"]
        text = ("low lower lowest \u00e9 " * 40).encode()
        held_out = config["held_out_tokens"]
        self.assertEqual(config["tokenizer"]["tokens"], 259)
        with open(self.path("train.bin"), "rb") as file:
            self.write("end.bin", file.read()[-2 * held_out:])
        self.write("copy.json", small())
        end = self.hcc("tokenize", "end.bin", "--decode", "--tokenizer", "copy.json").out.encode()
        self.assertTrue(text.endswith(end))
        self.assertEqual(config["held_out_text_bytes"], len(end))
        self.train("--tokenizer", "copy.json", "--set", "v=300", out="wide")
        compared = json.loads(self.hcc("compare", "run", "wide", "--json").out)
        for group in compared["groups"]:
            standing = group["at_equal_step"]
            self.assertAlmostEqual(standing["bits_per_byte"],
                                   standing["mean"] / math.log(2) * held_out / len(end), places=12)
        self.assertNotIn("data", compared["differ"])
        self.hcc("report", "run", "wide", "--no-maps", "--out", "page.html")
        with open(self.path("page.html"), encoding="utf-8") as file:
            page = file.read()
        for group in compared["groups"]:
            self.assertIn(f">{group['at_equal_step']['bits_per_byte']:.4f}<", page)
        self.train("--force")
        self.assertFalse(os.path.exists(self.path("run/tokenizer")))
        self.assertNotIn("bits_per_byte", self.hcc("compare", "run", "wide", "--json").out)

    def test_numbers_without_one(self):
        self.train()
        out = self.hcc("sample", "run", "--length", "3", "--prompt", "1, 20\n257").out
        self.assertTrue(out.startswith("1 20 257 "), out)
        self.assertEqual(len(out.split()), 6)
        for prompt, code in (("", 2), ("low", 2), ("1 x", 2), ("260", 3), ("-1", 3)):
            self.hcc("sample", "run", "--prompt", prompt, code=code)
        self.assertTrue(self.hcc("sample", "run", "--prompt", "low", "--tokenizer", "tokenizer.json",
                                 "--length", "3").out.startswith("low"))

    def test_what_does_not_fit(self):
        for arguments, said, code in (
                (("--set", "v=258"), "the tokenizer `tokenizer.json` has 259 tokens", 2),
                (("--tokenizer", "none.json"), "none.json", 3)):
            self.assertIn(said, self.train("--tokenizer", "tokenizer.json", *arguments, code=code).err)
            self.assertFalse(os.path.exists(self.path("run")))
        self.write("train.bin", (259).to_bytes(2, "little") * 200)
        self.assertIn("it has no token 259", self.train("--tokenizer", "tokenizer.json", code=3).err)
        self.write("k.hc", harness.EVALUATED)
        self.write("train.bin", "text " * 100)
        self.assertIn("--tokenizer is for `data tokens`", self.train("--tokenizer", "tokenizer.json", code=2).err)

    def test_a_terminal_is_not_steered(self):
        self.train("--tokenizer", "tokenizer.json")
        shown = "low \x1b[31m\u00e9\u202e\u0085\t."
        for more, expected in (((), "low \\x1b[31m\u00e9\\u202e\\u0085\t."), (("--raw",), shown)):
            said = self.on_terminal("sample", "run", "--length", "0", "--prompt", shown, *more)
            self.assertEqual(said.decode().replace("\r\n", "\n"), expected + "\n")

    def on_terminal(self, *arguments):
        own, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        with subprocess.Popen([harness.hcc_path(), *arguments], cwd=self.folder, stdout=theirs,
                              env=harness.environment()) as process:
            self.assertEqual(process.wait(60), 0)
        os.close(theirs)
        said = os.read(own, 4096)
        os.close(own)
        return said


@harness.unittest.skipIf(LACKING, LACKING)
class AgainstThePackage(harness.TestCase):
    def trained(self, text, pre_tokenizer, size, **more):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        made = Tokenizer(models.BPE(**more))
        made.pre_tokenizer, made.decoder = pre_tokenizer, decoders.ByteLevel()
        made.train_from_iterator([text], trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|endoftext|>"], show_progress=False))
        made.save(self.path("tokenizer.json"))
        return made

    def compare(self, theirs, text, tokenizer):
        source, out = self.write("text.txt", text.encode()), self.path("out.bin")
        self.expect(harness.hcc("tokenize", source, "--tokenizer", tokenizer, "--out", out, "--force"))
        with open(out, "rb") as file:
            raw = file.read()
        ours = [int.from_bytes(raw[k:k + 2], "little") for k in range(0, len(raw), 2)]
        self.assertEqual(ours, theirs.encode(text).ids)

    def test_the_same_tokens(self):
        from tokenizers import Regex, pre_tokenizers as pre

        def by(pattern, behavior="isolated", invert=False):
            return pre.Sequence([pre.Split(Regex(pattern), behavior, invert),
                                 pre.ByteLevel(add_prefix_space=False, use_regex=False)])
        kinds = [("gpt2", pre.ByteLevel(add_prefix_space=False), {}), ("prefix", pre.ByteLevel(), {}),
                 ("llama", by(LLAMA), {"ignore_merges": True}), ("qwen", by(QWEN), {}), ("o200k", by(O200K), {}),
                 ("keep", by(LLAMA, "removed", True), {}),
                 ("digits", pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]), {}),
                 ("steps", pre.Sequence([pre.Split(Regex(r"\p{N}{1,3}"), "isolated"), pre.Split("don", "isolated"),
                                         pre.Split(Regex("[一-龥ࠀ-一가-퟿]+"), "isolated"), pre.ByteLevel(add_prefix_space=False)]), {})]
        for kind, (name, pre_tokenizer, more) in enumerate(kinds):
            with self.subTest(name):
                text = some_text(1000000 if kind == 0 or harness.EVERYTHING else 15000)
                theirs = self.trained(text, pre_tokenizer, 2000, **more)
                self.compare(theirs, text, self.path("tokenizer.json"))

    def test_a_tokenizer_of_ours_is_read_there(self):
        from tokenizers import Tokenizer
        text = some_text(1000000 if harness.EVERYTHING else 100000)
        source, made = self.write("text.txt", text.encode()), self.path("made.json")
        self.expect(harness.hcc("tokenize", source, "--train", "2000", "--out", made))
        theirs = Tokenizer.from_file(made)
        self.assertEqual(theirs.get_vocab_size(), 2000)
        self.compare(theirs, text, made)


harness.main(__name__)
