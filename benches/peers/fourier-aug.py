"""Peers of benches/benches/fourier-aug.rs: AugMix on Pillow images one by one, as its authors have it, and torchvision's, one tensor of 8 bits
after the other, each with operations of its own; plane waves in NumPy; AugMix's divergence in torch; operations of the CIFAR-10-C generator on
images one by one, as it works, with NumPy, SciPy and Pillow.
"""

PEERS = ["NumPy, SciPy, Pillow", "torchvision", "torch eager", "torch.compile"]

F32 = 4
BATCHES = [(128, 32), (8, 224)]
VIEWS = [(3, 4096, 1000), (3, 128, 10)]
CORRUPTIONS = [
    "gaussian_noise",
    "shot_noise",
    "gaussian_blur",
    "zoom_blur",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
CORRUPTED, SIDE = 100, 32

ROWS = [
    {"id": f"fourier_aug/augmix/{n}x{side}x{side}x3", "bytes": (1 + F32) * n * side * side * 3, "flops": 0}
    for n, side in BATCHES
] + [
    {"id": f"fourier_aug/plane_waves/{8 * n}x{side}x{side}", "bytes": F32 * 8 * n * side * side, "flops": 0}
    for n, side in BATCHES
] + [
    {"id": f"fourier_aug/{name}/{v}x{b}x{k}", "bytes": 2 * F32 * v * b * k, "flops": 0}
    for v, b, k in VIEWS
    for name in ["jsd_value_and_grad", "jsd_value_and_grad_into"]
] + [
    {"id": f"fourier_aug/{name}/{CORRUPTED}x{SIDE}x{SIDE}x3", "bytes": 2 * CORRUPTED * SIDE * SIDE * 3, "flops": 0}
    for name in CORRUPTIONS
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


def divergence(logits):
    """AugMix's, with its clamp."""
    import torch

    p = torch.softmax(logits, -1)
    mixture = p.mean(0).clamp(1e-7, 1).log()
    return sum(torch.nn.functional.kl_div(mixture, q, reduction="batchmean") for q in p) / len(p)


def corruption(name):
    """Of one image, at severity 3."""
    import io

    import numpy as np
    from PIL import Image
    from scipy import ndimage

    random = np.random.default_rng(1)

    def zoomed(x, zoom):
        size = int(np.ceil(SIDE / zoom))
        top = (SIDE - size) // 2
        large = ndimage.zoom(x[top : top + size, top : top + size], (zoom, zoom, 1), order=1)
        trim = (large.shape[0] - SIDE) // 2
        return large[trim : trim + SIDE, trim : trim + SIDE]

    def elastic(x):
        # A rotation by nothing stands for OpenCV's affine map.
        x = ndimage.affine_transform(x, np.eye(4), order=1, mode="mirror")
        fields = [
            ndimage.gaussian_filter(random.uniform(-1, 1, x.shape[:2]), SIDE * 0.06, mode="reflect", truncate=3) * SIDE * 0.08
            for _ in range(2)
        ]
        y, x_, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
        places = [y + fields[0][..., None], x_ + fields[1][..., None], c]
        return ndimage.map_coordinates(x, places, order=1, mode="reflect")

    def pixelate(image):
        small = Image.fromarray(image).resize((int(SIDE * 0.85),) * 2, Image.Resampling.BOX)
        return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BOX))

    def jpeg(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=58)
        return np.asarray(Image.open(file))

    def contrast(x):
        mean = x.mean(axis=(0, 1), keepdims=True)
        return (x - mean) * 0.4 + mean

    on_floats = {
        "gaussian_noise": lambda x: x + random.normal(size=x.shape, scale=0.08),
        "shot_noise": lambda x: random.poisson(x * 100) / 100.0,
        "gaussian_blur": lambda x: ndimage.gaussian_filter(x, (0.7, 0.7, 0), mode="nearest", truncate=4),
        "zoom_blur": lambda x: (x + sum(zoomed(x, 1 + 0.01 * i) for i in range(17))) / 18,
        "contrast": contrast,
        "elastic_transform": elastic,
    }
    if name in on_floats:
        of = on_floats[name]
        return lambda image: (np.clip(of(image / 255.0), 0, 1) * 255).astype(np.uint8)
    return {"pixelate": pixelate, "jpeg_compression": jpeg}[name]


def consistency(shape, compiled, keep):
    """Value and gradients; `keep`: gradients are added to memory that is there, where ours are written to such."""
    import torch

    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(*shape, generator=generator, requires_grad=True)
    function = torch.compile(divergence) if compiled else divergence

    def run():
        if not keep:
            logits.grad = None
        elif logits.grad is not None:
            logits.grad.zero_()
        value = function(logits)
        value.backward()
        return value

    return run


def plane_waves(n, side):
    import numpy as np

    y, x = np.mgrid[:side, :side]
    vectors = [(i * 131 % side, i * 77 % side) for i in range(n)]

    def waves():
        made = [np.cos(2 * np.pi * (ky * y / side + kx * x / side) - np.pi / 4) for ky, kx in vectors]
        return [(1.5 * wave / np.linalg.norm(wave)).astype(np.float32) for wave in made]

    return waves


def vision(n, side):
    import torch
    from torchvision.transforms.v2 import AugMix

    transform = AugMix(severity=3, mixture_width=3, all_ops=False)
    batch = torch.from_numpy(images(n, side)).permute(0, 3, 1, 2).contiguous()
    return lambda: [(transform(image) / 255 - 0.5) / 0.5 for image in batch]


def make(row, peer):
    """A function that computes the row once; None where the peer has nothing like it."""
    name, shape = row.split("/")[1:]
    shape = [int(v) for v in shape.split("x")]
    if name.startswith("jsd"):
        if peer not in PEERS[2:]:
            return None
        return consistency(shape, peer == "torch.compile", name.endswith("_into"))
    if peer == "torchvision" and name == "augmix":
        return vision(*shape[:2])
    if peer != PEERS[0]:
        return None
    if name == "augmix":
        return pillow(*shape[:2])
    if name == "plane_waves":
        return plane_waves(*shape[:2])
    of = corruption(name)
    return lambda: [of(image) for image in images(*shape[:2])]
