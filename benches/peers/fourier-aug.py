"""Peers of benches/benches/fourier-aug.rs: AugMix on Pillow images one by one, as its authors have it; torchvision's, one tensor of 8 bits after
the other, each with operations of its own; plane waves in NumPy.
"""

PEERS = ["Pillow", "torchvision", "NumPy"]

F32 = 4
BATCHES = [(128, 32), (8, 224)]

ROWS = [
    {"id": f"fourier_aug/augmix/{n}x{side}x{side}x3", "bytes": (1 + F32) * n * side * side * 3, "flops": 0}
    for n, side in BATCHES
] + [
    {"id": f"fourier_aug/plane_waves/{8 * n}x{side}x{side}", "bytes": F32 * 8 * n * side * side, "flops": 0}
    for n, side in BATCHES
]


def images(n, side):
    import numpy as np

    i, y, x, c = np.meshgrid(np.arange(n), np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    return ((y * 13 + x * 7 + c * 50 + i * 29 + (y * x * (c + 1)) % 23 * 4) % 256).astype(np.uint8)


def pillow(n, side):
    """Three chains of one to three of nine operations, severity 3."""
    import numpy as np
    from PIL import Image, ImageOps

    random = np.random.default_rng(1)
    batch = [Image.fromarray(image) for image in images(n, side)]

    def affine(image, matrix):
        return image.transform(image.size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR)

    def signed(value):
        return value if random.random() < 0.5 else -value

    operations = [
        lambda i, u: ImageOps.autocontrast(i),
        lambda i, u: ImageOps.equalize(i),
        lambda i, u: ImageOps.posterize(i, 4 - int(0.4 * u)),
        lambda i, u: i.rotate(signed(int(3 * u)), resample=Image.Resampling.BILINEAR),
        lambda i, u: ImageOps.solarize(i, 256 - int(25.6 * u)),
        lambda i, u: affine(i, (1, signed(0.03 * u), 0, 0, 1, 0)),
        lambda i, u: affine(i, (1, 0, 0, signed(0.03 * u), 1, 0)),
        lambda i, u: affine(i, (1, 0, signed(int(u * side / 30)), 0, 1, 0)),
        lambda i, u: affine(i, (1, 0, 0, 0, 1, signed(int(u * side / 30)))),
    ]

    def tensor(image):
        return (np.asarray(image, dtype=np.float32) / 255 - 0.5) / 0.5

    def one(image):
        weights, m = random.dirichlet([1.0] * 3), random.beta(1, 1)
        mixed = (1 - m) * tensor(image)
        for weight in weights:
            chain = image
            for _ in range(random.integers(1, 4)):
                chain = operations[random.integers(9)](chain, random.uniform(0.1, 3))
            mixed += m * weight * tensor(chain)
        return mixed

    return lambda: [one(image) for image in batch]


def make(row, peer):
    kind, shape = row.split("/")[1:]
    n, side = (int(v) for v in shape.split("x")[:2])
    if kind == "augmix" and peer == "Pillow":
        return pillow(n, side)
    if kind == "augmix" and peer == "torchvision":
        import torch
        from torchvision.transforms.v2 import AugMix

        transform = AugMix(severity=3, mixture_width=3, all_ops=False)
        batch = torch.from_numpy(images(n, side)).permute(0, 3, 1, 2).contiguous()
        return lambda: [(transform(image) / 255 - 0.5) / 0.5 for image in batch]
    if kind == "plane_waves" and peer == "NumPy":
        import numpy as np

        y, x = np.mgrid[:side, :side]
        vectors = [(i * 131 % side, i * 77 % side) for i in range(n)]

        def waves():
            made = [np.cos(2 * np.pi * (ky * y / side + kx * x / side) - np.pi / 4) for ky, kx in vectors]
            return [(1.5 * wave / np.linalg.norm(wave)).astype(np.float32) for wave in made]

        return waves
    return None
