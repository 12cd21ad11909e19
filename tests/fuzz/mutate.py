"""Files made a little wrong, by a seed: bytes, numbers, lines, trees of JSON."""

import copy
import json
import re
import struct

NUMBERS = [0, 1, -1, 2, 3, 7, 15, 16, 17, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31, 2**32 - 1,
           2**32, 2**40, 2**48, 2**53 + 1, 2**62, 2**63 - 1, -2**63]
WORDS = ["", "0", "-0", "nan", "inf", "-inf", "1e308", "-1e308", "1e309", "1e39", "4.9e-324", "1e-400", "0x10", "1_0",
         "1,5", "1.", ".5", "--1", "+1", "1e", "9" * 50, "0." + "3" * 500, "é", "\0", "\ufeff", "null", "\"", "\"\"",
         "global", "position", "partial", "chunk", "a" * 5000]
OTHERS = [None, True, False, [], {}, [[]], "", "x", 0.5, -0.0, 1e308, [0, 0], ["global", 0], ["position", 2**40]]


def bytes_of(draw, data):
    """A few changes that look at nothing."""
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        at = draw.randrange(len(data) + 1)
        length = min(draw.choice([1, 1, 2, 4, 8, 40, 400]), len(data) - at)
        part = bytes(data[at:at + length])
        kind = draw.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at:at + length] = bytes(draw.randrange(256) for _ in range(length))
        elif kind == 2:
            del data[at:at + length]
        elif kind == 3:
            data[at:at] = part * draw.choice([1, 2, 50])
        elif kind == 4:
            to = draw.randrange(len(data) + 1)
            data[to:to + length] = part
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            size = draw.choice("bhiq")
            number = draw.choice(NUMBERS) % 2**(8 * struct.calcsize(size))
            data[at:at + struct.calcsize(size)] = number.to_bytes(struct.calcsize(size), draw.choice(["little", "big"]))
        elif kind == 7:
            data[at:at] = draw.choice([b"\0", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\"", b",", b";", b"\t", b"\xff",
                                       b"#", b"\x1f\x8b", b"{", b"["])
        elif kind == 8:
            other = draw.randrange(len(data) + 1)
            data[at:at] = data[other:other + length]
    return bytes(data)


def other_number(draw, number):
    near = [number + 1, number - 1, number * 2, number // 2, -number, number + 16, number * 16]
    return draw.choice(near + NUMBERS if draw.random() < 0.7 else near)


def text_of(draw, text):
    """A table: numbers and names, fields, lines, and how they end."""
    lines = text.split("\n")
    for _ in range(draw.choice([1, 1, 2, 4])):
        at = draw.randrange(len(lines))
        fields = re.split("([,;\t ])", lines[at])
        field = draw.randrange(len(fields))
        kind = draw.randrange(12)
        if kind < 4:
            fields[field] = draw.choice(WORDS) if draw.random() < 0.6 else str(draw.choice(NUMBERS))
        elif kind == 4:
            fields[field] = f"\"{fields[field]}\""
        elif kind == 5:
            fields[field] += draw.choice(["\"", " ", "\t", "\"\"", "\r", "\n", "\0", "\"x\"", "#"])
        elif kind == 6:
            del fields[field]
        elif kind == 7:
            fields.insert(field, draw.choice(fields))
        elif kind == 8:
            fields = fields * draw.choice([2, 300])
        lines[at] = "".join(fields)
        if kind == 9:
            lines.insert(draw.randrange(len(lines)), lines[at])
        elif kind == 10:
            lines.insert(at, draw.choice(["", "#", "\"", " ", ",,,", lines[0], "\0", "# 1,2"]))
        elif kind == 11:
            del lines[at:at + draw.choice([1, 2, 1000])]
            lines = lines or [""]
    return draw.choice(["\n"] * 6 + ["\r\n", "\r", "\n\n"]).join(lines)


def places(tree, path=()):
    """Every path within a tree of JSON."""
    yield path
    if isinstance(tree, (dict, list)):
        for key in (tree if isinstance(tree, dict) else range(len(tree))):
            yield from places(tree[key], path + (key,))


def get(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def deep(draw):
    """What `written` puts a nest of lists and objects for: deeper than Python's own writer goes."""
    return f"\1{draw.choice('[{')}{draw.choice([3, 63, 64, 65, 30000])}"


def written(tree, **how):
    def nest(found):
        depth = int(found.group(2))
        return "[" * depth + "]" * depth if found.group(1) == "[" else '{"a":' * depth + "0" + "}" * depth

    return re.sub(r'"\\u0001([\[{])(\d+)"', nest, json.dumps(tree, **how))


def tree_of(draw, tree):
    """Values replaced, dropped, doubled, swapped; numbers near what they were, and far."""
    tree = copy.deepcopy(tree)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        paths = list(places(tree))[1:]
        if not paths:
            break
        numbers = [p for p in paths if type(get(tree, p)) in (int, float)]
        path = draw.choice(numbers if numbers and draw.random() < 0.6 else paths)
        parent, key, old = get(tree, path[:-1]), path[-1], get(tree, path)
        kind = draw.random()
        if isinstance(old, int) and not isinstance(old, bool) and kind < 0.7:
            parent[key] = other_number(draw, old)
        elif isinstance(old, float) and kind < 0.7:
            parent[key] = draw.choice([0.0, -1.0, 1e308, 1e-308, old * 2, -old, 3])
        elif isinstance(old, str) and kind < 0.5:
            same = [get(tree, p) for p in paths if isinstance(get(tree, p), str)]
            parent[key] = draw.choice(WORDS if draw.random() < 0.4 else same)
        elif kind < 0.75:
            parent[key] = draw.choice(OTHERS)
        elif kind < 0.82:
            del parent[key]
        elif kind < 0.92:
            parent[key] = copy.deepcopy(get(tree, draw.choice(paths)))
        elif kind < 0.94:
            parent[key] = deep(draw)
        elif isinstance(parent, list):
            parent.insert(draw.randrange(len(parent) + 1), copy.deepcopy(old))
        else:
            parent["another"] = old
    return tree


def json_of(draw, text):
    """JSON as a tree, or as bytes."""
    if draw.random() < 0.2:
        return bytes_of(draw, text)
    changed = written(tree_of(draw, json.loads(text)), ensure_ascii=draw.random() < 0.8,
                      separators=draw.choice([(",", ":"), (", ", ": ")]))
    return changed.encode("utf-8", "surrogatepass")


def metadata_of(draw, metadata):
    """Of texts, some of which are numbers."""
    key = draw.choice(sorted(metadata))
    if metadata[key].isdigit() and draw.random() < 0.7:
        return {**metadata, key: str(other_number(draw, int(metadata[key])))}
    return tree_of(draw, metadata)


def safetensors_of(draw, data):
    """Header and length, or bytes."""
    if draw.random() < 0.25:
        return bytes_of(draw, data)
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8:8 + length], data[8 + length:]
    if draw.random() < 0.15:
        rest = bytes_of(draw, rest)
    else:
        tree = json.loads(header)
        kind = draw.random()
        if kind < 0.2 and "__metadata__" in tree:
            tree["__metadata__"] = metadata_of(draw, tree["__metadata__"])
        else:
            if kind < 0.5:
                tree.pop("__metadata__", None)
            tree = tree_of(draw, tree)
        header = written(tree, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
    length = draw.choice(NUMBERS) % 2**64 if draw.random() < 0.1 else len(header)
    return length.to_bytes(8, "little") + header + rest


def idx_of(draw, data):
    """Header or bytes."""
    if draw.random() < 0.5:
        return bytes_of(draw, data)
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 2])):
        at = draw.randrange(4 + 4 * data[3])
        if at < 4:
            data[at] = draw.choice([0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 255])
        else:
            at -= at % 4
            old = int.from_bytes(data[at:at + 4], "big")
            data[at:at + 4] = (other_number(draw, old) % 2**32).to_bytes(4, "big")
    return bytes(data)
