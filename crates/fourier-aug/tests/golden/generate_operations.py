"""What Pillow makes of small images: `python generate_operations.py [--out DIR]`.

Rows of operations.tsv: mode, width and height of a made image, operation, parameter, and the result, in hexadecimal where the image is
small, otherwise as its 64-bit FNV-1a hash. The images are a function of their size alone and made by the test as well.
"""

import argparse
import pathlib

import PIL
from PIL import Image, ImageEnhance, ImageOps

SIZES = [(7, 5), (32, 32), (31, 18), (1, 1), (5, 1), (1, 6), (2, 2)]
WHOLE = 64  # bytes


def pixel(x, y, c, kind):
    if kind == "flat":
        return 93
    if kind == "two":
        return 20 if (x + y + c) % 3 else 181
    return (x * x * 3 + y * 29 + x * y * 7 + c * 41 + 17) * 2654435761 // 2**13 % 97 + 3 * x % 61 + 2 * y


def picture(mode, size, kind):
    image = Image.new(mode, size)
    channels = len(mode)
    for y in range(size[1]):
        for x in range(size[0]):
            values = tuple(pixel(x, y, c, kind) % 256 for c in range(channels))
            image.putpixel((x, y), values if channels > 1 else values[0])
    return image


def fnv(data):
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return f"{state:016x}"


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR)


OPERATIONS = {
    "rotate": (
        lambda i, v: i.rotate(v, resample=Image.Resampling.BILINEAR),
        [0.0, 1.0, -1.0, 5.0, -8.0, 30.0, 36.0, 45.0, 135.0, 308.0, -45.5, 90.0, 180.0, 271.25, 720.0],
    ),
    "shear_x": (lambda i, v: affine(i, (1, v, 0, 0, 1, 0)), [0.0, 0.003, -0.03, 0.09, -0.3, 1.0]),
    "shear_y": (lambda i, v: affine(i, (1, 0, 0, v, 1, 0)), [0.0, 0.003, -0.03, 0.09, -0.3, 1.0]),
    "translate_x": (lambda i, v: affine(i, (1, 0, v, 0, 1, 0)), [0, 1, -1, 3, -10, 40]),
    "translate_y": (lambda i, v: affine(i, (1, 0, 0, 0, 1, v)), [0, 1, -1, 3, -10, 40]),
    "autocontrast": (lambda i, v: ImageOps.autocontrast(i), [0]),
    "equalize": (lambda i, v: ImageOps.equalize(i), [0]),
    "posterize": (lambda i, v: ImageOps.posterize(i, v), [1, 3, 4, 8]),
    "solarize": (lambda i, v: ImageOps.solarize(i, v), [0, 1, 128, 180, 254, 256]),
    "brightness": (lambda i, v: ImageEnhance.Brightness(i).enhance(v), [0.0, 0.118, 0.64, 1.0, 1.9]),
    "color": (lambda i, v: ImageEnhance.Color(i).enhance(v), [0.0, 0.118, 0.64, 1.0, 1.9]),
    "contrast": (lambda i, v: ImageEnhance.Contrast(i).enhance(v), [0.0, 0.118, 0.64, 1.0, 1.9]),
    "sharpness": (lambda i, v: ImageEnhance.Sharpness(i).enhance(v), [0.0, 0.118, 0.64, 1.0, 1.9]),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    out = parser.parse_args().out
    rows = [f"# generate_operations.py with Pillow {PIL.__version__}", "mode\twidth\theight\tkind\toperation\tparameter\tresult"]
    for mode in ("L", "RGB"):
        for size in SIZES:
            for kind in ("made", "flat", "two"):
                if kind != "made" and size != (31, 18):
                    continue
                image = picture(mode, size, kind)
                for name, (operation, parameters) in OPERATIONS.items():
                    for parameter in parameters:
                        result = operation(image, parameter).tobytes()
                        told = result.hex() if len(result) <= WHOLE else fnv(result)
                        rows.append(f"{mode}\t{size[0]}\t{size[1]}\t{kind}\t{name}\t{parameter}\t{told}")
    (out / "operations.tsv").write_text("\n".join(rows) + "\n")


main()
