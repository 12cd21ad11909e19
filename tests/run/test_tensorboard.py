#!/usr/bin/env python3
"""Event files of TensorBoard, read as its records and messages are defined, and by the package where it is there."""

import glob
import json
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

LACKING = harness.lacking("tensorboard")


def checksum(data):
    """CRC-32C, masked as records hold it."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    while data:
        length, of_length = struct.unpack("<QI", data[:12])
        assert of_length == checksum(data[:8])
        body, of_body = data[12:12 + length], data[12 + length:16 + length]
        assert struct.unpack("<I", of_body)[0] == checksum(body)
        yield body
        data = data[16 + length:]


def fields(data):
    """(field, value) of a message of protobuf: numbers, or bytes."""
    def varint():
        nonlocal data
        value = shift = 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while data:
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value, data = data[:size], data[size:]
            yield key >> 3, {1: "<d", 5: "<f"}.get(key & 7) and struct.unpack("<d" if size == 8 else "<f", value)[0] \
                if key & 7 != 2 else value


class Events(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.data = self.write("text.txt", "to be or not to be, that is the question:\n" * 40)
        self.model = self.write("k.hc", harness.EVALUATED)
        self.run_folder = self.path("run")

    def train(self, *more, code=0):
        return self.expect(hcc("train", self.model, "--data", self.data, "--threads", "1", "--quiet", "--out",
                               self.run_folder, *more), code)

    def train_twice(self):
        """Six steps, and from the third on again, up to the eighth."""
        self.train("--tensorboard", *[word for setting in ("save_every=3", "keep=9", "eval_every=0")
                                      for word in ("--set", f"train.{setting}")])
        self.expect(hcc("train", "--resume", os.path.join(self.run_folder, "ckpt/step-3"), "--force", "--threads", "1", "--quiet",
                        "--steps", "8"))

    def files(self):
        return sorted(glob.glob(os.path.join(self.run_folder, "*tfevents*")))

    def log(self):
        """{(tag, step): value} that the log and the summary hold."""
        with open(os.path.join(self.run_folder, "log.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        with open(os.path.join(self.run_folder, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        lines.append({"step": summary["steps"], "val_loss": summary["val_loss"], "val_metrics": summary["val_metrics"]})
        found = {}
        for line in lines:
            for name, value in line.items():
                for tag, number in ([(f"{name}/{of}", v) for of, v in value.items()] if isinstance(value, dict)
                                    else [(name, value)]):
                    found[tag, line["step"]] = struct.unpack("<f", struct.pack("<f", number))[0]
        return {key: value for key, value in found.items() if key[0] != "step"}

    def events(self):
        """{(tag, step): value} of all files, one after the other, as a reader has to take them."""
        found = {}
        for path in self.files():
            for k, record in enumerate(records(path)):
                event = dict(fields(record))
                self.assertGreater(event[1], 1.7e9)
                if k == 0:
                    self.assertEqual(event[3], b"brain.Event:2")
                if 7 in event:  # what was said of this step and later does not hold
                    self.assertEqual(dict(fields(event[7])), {1: 1})
                    found = {key: value for key, value in found.items() if key[1] < event[2]}
                for _, value in fields(event.get(5, b"")):
                    scalar = dict(fields(value))
                    key = scalar[1].decode(), event[2]
                    self.assertNotIn(key, found)
                    found[key] = scalar[2]
        return found

    def test_checksum(self):
        known = 0xe3069283  # CRC-32C of these digits
        unmasked = (checksum(b"123456789") - 0xa282ead8) & 0xffffffff
        self.assertEqual((unmasked >> 17 | unmasked << 15) & 0xffffffff, known)

    def test_they_hold_the_log(self):
        self.train("--tensorboard")
        self.assertEqual(len(self.files()), 1)
        self.assertEqual(self.events(), self.log())
        self.assertIn(("val_metrics/accuracy", 4), self.events())

    def test_a_run_that_patience_ends(self):
        """It is evaluated again, with the best weights: which was an earlier step."""
        self.train("--tensorboard", "--set", "train.lr=0", "--set", "train.patience=1")
        self.assertEqual([key for key in self.events() if key[0] == "val_loss"], [("val_loss", 2), ("val_loss", 4)])

    def test_none_unless_asked(self):
        self.train()
        self.assertEqual(self.files(), [])

    def test_a_run_that_goes_on(self):
        """Without being asked for events again. What the first file says of later steps does not hold."""
        self.train_twice()
        self.assertEqual(len(self.files()), 2)
        self.assertEqual(self.events(), self.log())

    def test_a_run_that_is_replaced(self):
        self.train("--tensorboard")
        kept = self.write("run/events.out.tfevents.1.theirs", "")
        self.train("--force")
        self.assertEqual(self.files(), [kept])

    def test_what_is_not_finite(self):
        self.train("--tensorboard", "--set", "train.lr=1e6", "--set", "train.steps=400", "--set", "train.eval_every=0",
                   code=4)
        losses = [value for (tag, _), value in sorted(self.events().items(), key=lambda item: item[0][1])
                  if tag == "loss"]
        self.assertTrue(losses[-1] != losses[-1])

    @unittest.skipIf(LACKING, LACKING)
    def test_tensorboard_reads_them(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        self.train_twice()
        read = EventAccumulator(self.run_folder).Reload()
        found = {(tag, event.step): event.value for tag in read.Tags()["scalars"] for event in read.Scalars(tag)}
        self.assertEqual(found, self.log())
        self.assertEqual([event.step for event in read.Scalars("loss")], list(range(1, 9)))


harness.main(__name__)
