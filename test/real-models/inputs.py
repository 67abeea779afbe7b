"""Inputs as the models meet them in use: parts of a photograph, printed words, sounds, names and files."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

RATE = 16_000


class Inputs:
    """Draws inputs from a seed."""

    def __init__(self, seed, photograph):
        self.random = np.random.default_rng(seed)
        self.photo = Image.open(photograph).convert("RGB")

    def int(self, low, high):
        """Both ends included."""
        return int(self.random.integers(low, high + 1))

    def floats(self, *shape, scale=1.0):
        return (self.random.normal(size=shape) * scale).astype(np.float32)

    def ids(self, *shape, low, high):
        return self.random.integers(low, high, shape)

    def crop(self, width, height):
        """A part of the photograph, at least a third of it, in the size that is asked for."""
        wide, high = self.photo.size
        share = self.random.uniform(0.35, 1)
        part_wide, part_high = int(wide * share), int(high * share)
        left, top = self.int(0, wide - part_wide), self.int(0, high - part_high)
        box = (left, top, left + part_wide, top + part_high)
        return np.asarray(self.photo.resize((width, height), box=box), np.float32)

    def words(self, width, height, lines=1):
        """Printed digits and capitals, black on a light ground."""
        page = Image.new("RGB", (width, height), (self.int(200, 255),) * 3)
        size = height // lines * 0.7
        for line in range(lines):
            text = "".join(self.random.choice(list("ABCDEFGHKLMNPRSTUVWXYZ0123456789 "), 12))
            place = (self.int(2, 8), line * height // lines + 2)
            ImageDraw.Draw(page).text(place, text, fill=(self.int(0, 60),) * 3, font=ImageFont.load_default(size))
        return np.asarray(page, np.float32)

    def sound(self, samples):
        """A few tones and noise, at times nearly silence."""
        time = np.arange(samples) / RATE
        tones = sum(np.sin(2 * np.pi * self.random.uniform(80, 1500) * time) for _ in range(3))
        loudness = self.random.choice([0.002, 0.1, 0.3])
        return (tones * loudness + self.random.normal(size=samples) * 0.01).astype(np.float32)


def as_picture(pixels, mean=0.5, std=0.5):
    """From [height, width, 3] of 0..255 to [3, height, width] around 0."""
    return ((pixels / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)
