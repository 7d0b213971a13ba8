#!/usr/bin/env python3
"""Makes tests/golden/tokenizer: small vocabularies, and the ids Hugging Face's own libraries give with them.

    script/golden/tokenizer.py [--text PROSE.txt] [--gguf SmolLM2-135M-Instruct.Q4_1.gguf] [--out tests/golden/tokenizer]

For each pre-tokenizer a byte-level vocabulary is trained on the prose (English) and the sentences below; those tiny
tokenizer.json files are kept, and without --text they are taken as they are. With --gguf the fixtures of SmolLM2's real vocabulary are made too. Fixtures are JSON
lines: hand-picked texts with their ids, and hashes over the ids of texts that the tests make again from a seed.
"""
import argparse
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parent.parent.parent
M64 = (1 << 64) - 1

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

SENTENCES = [
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.", "Où est la bibliothèque, s'il vous plaît ?",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia.", "Съешь ещё этих мягких французских булок.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.", "我能吞下玻璃而不伤身体。", "いろはにほへと ちりぬるを", "키스의 고유조건은 입술끼리 만나야 하고.",
    "Tiếng Việt rất đẹp.", "نص حكيم له سر قاطع وذو شأن عظيم", "ऋषियों को सताने वाले दुष्ट राक्षसों", "ខ្ញុំអាចញ៉ាំកញ្ចក់បាន",
    "if (a[i] != b[j]) {\n\treturn a[i] - b[j];  // 42\n}\r\n", "3.14159, 2,718 and 1,000,000 in 2024-06-30", "😀 👩‍👩‍👧 🇩🇪 ❤️",
]

TEXTS = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\t\n", " \n ", "  two", "a  b", "a   b ", " a\n\n b",
    "trailing  ", "trailing \n", "\n leading", "x\u0085y", "x\ufeffy", "x\u00a0y \u3000z", "a\u2003\u2003b", "\u200b\u200c",
    "Hello world", " Hello world", "Hello, world!", "Hello, y'all! How are you?", "it's we've they're I'm she'd he'll don't",
    "IT'S WE'VE THEY'RE I'M SHE'D HE'LL DON'T", "it'\u017fx", "'s", " 's", "''s", "'S'll'LL'lL", "'", "'''''", "'\u1e9e", "n't",
    "3", "33", "333", "3333", "33333", "333333", "3333333", "33333333", "333333333", "1 22 333 4444", "v2.0-rc1", "x1y22z333",
    "\u0663\u0664\u0665\u0666", "\u00b2\u00b3\u00bd", "\u2167 \u3007 \u4e09", "1\u0301", "\U00011de3\U00016ff4", "1,234.56", "0x7f",
    "ied 4 \u00bd months", "e\u0301 \u00e9 a\u0323\u0302", "\u212b \u2126 \ufb01", "\uac00\u1100\u1161\u11a8", "q\u0307\u0323 q\u0323\u0307",
    "\U0001f600", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea", "\u1780\u17d2\u1793\u17bb\u17c6",
    "\u041d\u043e\u0432\u0438\u043d\u0438 \u0437\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0438\u044f", "Ti\u1ebfng Vi\u1ec7t Vi\u1ec7t", "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "!!!???...", "---===---", "a_b__c",
    "foo(bar[baz]{qux})<>|&^%$#@!", "http://example.com/?q=a%20b&c=d#e", "\\n\\t\\\\", "\x00\x01\x04\x06\x7f\x1f", "\u2028\u2029",
    "!\n", "!\r\n\r\n", "! \n", "a.\n\nb", "def f(x):\n    return x\n", "\t\tx\n\t\t\ty", " \u00a0 x", "\U000e0001\U0010ffff",
    "<|endoftext|>", "a<|im_start|>user\nhi<|im_end|>\nb", "<|eot_id|><|start_header_id|>", "<|im_start", "<|im_start|><|im_start|>",
    "<l>", "  <l>", "a <l> b", "<r>", "<r>  a", "a <r> <r> b", " <lr> <lr> ", "<w>", "a<w>", "<w>b", "a <w> b", "_<w>", "-<w>-", "\u00e9<w>",
    "<long", "<longer>", "<longer><long", "caf\u00e9 cafe\u0301", "x<tool_call>y", "xyzzy xyzzyx Vi\u1ec7t", "  <both>  <both>x",
]

POOL = [
    " ", "  ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u3000", "\u0085", "\ufeff", "\u200d", "'s", "'S", "'\u017f", "'ll", "'LL", "'re",
    "'Ve", "'", "1", "23", "456", "7890", "\u0663", "\u00b2", "\U00011de5", "a", "B", "the", "The", "ing", "\u00e9", "e\u0301", "\u0323", "\u0307",
    "\u00df", "\u4e2d", "\u306e", "\ud55c", "\u1112\u1161\u11ab", "\u1780\u17d2", "\U0001f600", "\U0001f469\u200d\U0001f469", "!", "...", "_", "<|", "|>", "/", "\x04", "$",
    "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<l>", "<r>", "<w>", "<lr>", "<long", "<longer>",
]


class RandomStream:
    """The generator of core/random.hpp."""
    GOLDEN = 0x9E3779B97F4A7C15

    @staticmethod
    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)

    def __init__(self, seed, purpose, index):
        h = 0xCBF29CE484222325
        for byte in purpose.encode():
            h = ((h ^ byte) * 0x100000001B3) & M64
        self.key = self.mix((self.mix(self.mix((seed + self.GOLDEN) & M64) ^ h) + index * self.GOLDEN) & M64)
        self.position = 0

    def below(self, n):
        while True:
            self.position += 1
            x = self.mix((self.key + self.GOLDEN * self.position) & M64)
            if x >= (1 << 64) % n:
                return x % n


BYTE_OF = {}
_next = 0x100
for _b in range(256):
    if 0x21 <= _b <= 0x7E or 0xA1 <= _b <= 0xAC or _b >= 0xAE:
        BYTE_OF[chr(_b)] = _b
    else:
        BYTE_OF[chr(_next)] = _b
        _next += 1


def token_text(token):
    """What a token stands for, or None when its bytes are no UTF-8."""
    if not all(c in BYTE_OF for c in token):
        return token
    try:
        return bytes(BYTE_OF[c] for c in token).decode()
    except UnicodeDecodeError:
        return None


def random_text(index, texts_of):
    """tests/text/fixtures.hpp makes the same."""
    r = RandomStream(1, "tokenizer text", index)
    kind, out = index % 4, []
    if kind == 0:
        for _ in range(1 + r.below(24)):
            c = r.below(98)
            out.append("\t\n\r"[c - 95] if c >= 95 else chr(0x20 + c))
    elif kind == 1:
        for _ in range(1 + r.below(12)):
            c = r.below((0x300, 0x3000, 0x20000, 0x110000)[r.below(4)])
            out.append("x" if 0xD800 <= c < 0xE000 else chr(c))
    elif kind == 2:
        for _ in range(1 + r.below(6)):
            out.append(texts_of[r.below(len(texts_of))] or "")
    else:
        for _ in range(1 + r.below(12)):
            out.append(POOL[r.below(len(POOL))])
    return "".join(out)


def hash_ids(encodings):
    """FNV-1a over the ids as four little-endian bytes each, every list ended by ff ff ff ff."""
    h = 0xCBF29CE484222325
    for encoding in encodings:
        for i in encoding.ids + [0xFFFFFFFF]:
            for byte in i.to_bytes(4, "little"):
                h = ((h ^ byte) * 0x100000001B3) & M64
    return f"{h:016x}"


def write_fixtures(tokenizer, name, out, versions):
    document = json.loads(tokenizer.to_str())
    by_id = {i: (token, token_text(token)) for token, i in document["model"]["vocab"].items()}
    by_id |= {t["id"]: (t["content"], t["content"]) for t in document["added_tokens"]}  # their own text
    tokens, texts_of = zip(*(by_id[i] for i in range(len(by_id))))
    plain = Tokenizer.from_str(tokenizer.to_str())  # special tokens in a text are text
    plain.encode_special_tokens = True
    batch = lambda texts: plain.encode_batch(texts, add_special_tokens=False)
    lines = [{"kind": "about", "vocabulary": name, "made_with": versions, "pool": POOL,
              "tokens_sha256": hashlib.sha256("\n".join(tokens).encode()).hexdigest()}]
    for text in TEXTS:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        lines.append({"kind": "text", "text": text, "ids": encoding.ids, "plain_ids": batch([text])[0].ids,
                      "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
                      "skipped": tokenizer.decode(encoding.ids, skip_special_tokens=True)})
    for first in range(0, 0x110000, 16384):
        points = [chr(c) for c in range(first, first + 16384) if not 0xD800 <= c < 0xE000]
        texts = [t for c in points for t in (c, "a" + c + "b", "1" + c + " ")]
        lines.append({"kind": "code_points", "first": first, "count": 16384, "hash": hash_ids(batch(texts))})
    for first in range(0, len(tokens), 4096):
        texts = [t for t in texts_of[first:first + 4096] if t is not None]
        lines.append({"kind": "tokens", "first": first, "count": 4096, "hash": hash_ids(batch(texts))})
    for first in range(0, 20000, 1000):
        texts = [random_text(i, texts_of) for i in range(first, first + 1000)]
        lines.append({"kind": "random", "first": first, "count": 1000, "hash": hash_ids(batch(texts))})
    (out / f"{name}.jsonl").write_text("".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines))


def train(corpus, pre_tokenizer, size, alphabet=None, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(alphabet or pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, limit_alphabet=len(alphabet)))
    return tokenizer


def special(*names):
    return [AddedToken(name, special=True, normalized=False) for name in names]


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def tiny_vocabularies(corpus):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])

    gpt2 = train(corpus, byte_level, 900)
    gpt2.add_special_tokens(special("<|endoftext|>"))
    document = json.loads(gpt2.to_str())  # the older form of merges
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    yield "gpt2", Tokenizer.from_str(json.dumps(document)), document

    smollm = train(corpus, digits, 900)
    smollm.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    yield "smollm", smollm, None

    llama3 = train(corpus, split(LLAMA3), 900)
    document = json.loads(llama3.to_str())  # tokens no merge leads to: found because merges are ignored
    for token in ["ĠViá»ĩt", "xyzzy"]:
        document["model"]["vocab"][token] = len(document["model"]["vocab"])
    document["model"]["ignore_merges"] = True
    llama3 = Tokenizer.from_str(json.dumps(document))
    llama3.add_special_tokens(special("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                                      "<|end_header_id|>", "<|eot_id|>"))
    begin = llama3.token_to_id("<|begin_of_text|>")
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B:1",
                                      special_tokens=[("<|begin_of_text|>", begin)])])
    yield "llama3", llama3, None

    qwen2 = train(corpus, split(QWEN2), 900, normalizer=normalizers.NFC())
    qwen2.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    qwen2.add_tokens([AddedToken("<tool_call>", normalized=False)])
    yield "qwen2", qwen2, None

    # What no real vocabulary has all at once: tokens that swallow blanks, stand alone, are looked for after
    # normalisation or begin alike, and bytes that only the unknown token covers.
    alphabet = [c for c in pre_tokenizers.ByteLevel.alphabet() if BYTE_OF[c] not in (0x04, 0x24, 0xC0, 0xF3)]
    odd = train(corpus, byte_level, 600, alphabet=alphabet, normalizer=normalizers.NFC())
    document = json.loads(odd.to_str())
    document["model"]["vocab"]["<unk>"] = len(document["model"]["vocab"])
    document["model"]["unk_token"] = "<unk>"
    odd = Tokenizer.from_str(json.dumps(document))
    odd.add_special_tokens(special("<unk>", "<|endoftext|>"))
    odd.add_tokens([
        AddedToken("<l>", lstrip=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
        AddedToken("<lr>", lstrip=True, rstrip=True), AddedToken("<w>", single_word=True, normalized=False),
        AddedToken("<long", normalized=False), AddedToken("<longer>", normalized=False),
        AddedToken("cafe\u0301", normalized=True), AddedToken("\u212b", normalized=True),
        AddedToken("<both>", lstrip=True, rstrip=True, single_word=True, normalized=False),
        AddedToken("q \u00e9", normalized=False)])
    yield "odd", odd, None


def real_vocabulary(gguf):
    """SmolLM2 by transformers' own reader of GGUF, with the pre-tokenizer of the published tokenizer.json: the reader
    leaves Digits out."""
    from transformers import AutoTokenizer
    path = Path(gguf).resolve()
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name).backend_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="English prose to train the tiny vocabularies on anew")
    parser.add_argument("--gguf", type=Path, help="SmolLM2-135M-Instruct as GGUF")
    parser.add_argument("--only", help="one vocabulary, by its name")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/golden/tokenizer")
    args = parser.parse_args()
    versions = {"tokenizers": version("tokenizers"), "transformers": version("transformers")}
    if args.text:
        corpus = args.text.read_text()[:200_000].splitlines(keepends=True) + SENTENCES * 20
        for name, tokenizer, document in tiny_vocabularies(corpus):
            if args.only in (None, name):
                (args.out / name).mkdir(parents=True, exist_ok=True)
                text = json.dumps(document or json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
                (args.out / name / "tokenizer.json").write_text(text + "\n")
    for path in sorted(args.out.glob("*/tokenizer.json")):
        if args.only in (None, path.parent.name):
            write_fixtures(Tokenizer.from_file(str(path)), path.parent.name, args.out, versions)
    if args.gguf and args.only in (None, "smollm2"):
        write_fixtures(real_vocabulary(args.gguf), "smollm2", args.out, versions)


if __name__ == "__main__":
    main()
