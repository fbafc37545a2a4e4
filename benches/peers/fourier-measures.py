"""Peers of benches/benches/fourier-measures.rs: AugMix's divergence, and operations of the CIFAR-10-C generator on 100 images one by
one, as it works, with numpy, scipy and Pillow.
"""

PEERS = ["torch eager", "torch.compile", "numpy, scipy, Pillow"]

F32 = 4
VIEWS = [(3, 4096, 1000), (3, 128, 10)]
NAMES = [
    "gaussian_noise",
    "shot_noise",
    "gaussian_blur",
    "zoom_blur",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
BATCH, SIDE = 100, 32

# Logits in, gradients out; images in, images out.
ROWS = [
    {"id": f"fourier_measures/{name}/{v}x{b}x{k}", "bytes": 2 * F32 * v * b * k, "flops": 0}
    for v, b, k in VIEWS
    for name in ["jsd_value_and_grad", "jsd_value_and_grad_into"]
] + [
    {"id": f"fourier_measures/{name}/{BATCH}x{SIDE}x{SIDE}x3", "bytes": 2 * BATCH * SIDE * SIDE * 3, "flops": 0}
    for name in NAMES
]


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


def make(row, peer):
    """A function that computes the row once."""
    import torch

    _, name, shape = row.split("/")
    if name in NAMES:
        if peer != PEERS[2]:
            return None
        import numpy as np

        n, y, x, c = np.meshgrid(np.arange(BATCH), np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
        images = ((y * 13 + x * 7 + c * 50 + n * 29 + (y * x * (c + 1)) % 23 * 4) % 256).astype(np.uint8)
        of = corruption(name)
        return lambda: np.stack([of(image) for image in images])
    if peer == PEERS[2]:
        return None
    views, batch, classes = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(views, batch, classes, generator=generator, requires_grad=True)
    function = torch.compile(divergence) if peer == "torch.compile" else divergence
    # Gradients are added to memory that is there where ours are written to such.
    keep = name.endswith("_into")

    def run():
        if not keep:
            logits.grad = None
        elif logits.grad is not None:
            logits.grad.zero_()
        value = function(logits)
        value.backward()
        return value

    return run
