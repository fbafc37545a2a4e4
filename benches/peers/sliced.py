"""Peers of benches/benches/sliced.rs: the same distances with their gradients as one writes them in PyTorch, f32.

Cramér–Wold is the double sum, as in the authors' code: n² terms per direction, which for the largest shape does not fit into
memory. POT has the two-sample distance only, and here gives its value without a gradient.

Distances over all pairs of points have their squared distances from a matrix product, which is the fastest way in PyTorch; ours are
differences in f64. Cramér–Wold has the asymptotic form, also beside our exact one, of which there is no peer.
"""

import functools
import math

PEERS = ["torch eager", "torch.compile", "POT (value only)"]

F32 = 4
SHAPES = [(128, 64, 50), (1024, 64, 200), (16384, 128, 200)]
DIRECT = [(128, 64), (1024, 64), (2048, 512)]
ONE_SAMPLE = ["wasserstein2", "cramer_wold", "cramer_von_mises", "kolmogorov_smirnov", "anderson_darling"]

# The sample in, its gradient out; two matrix products.
ROWS = [
    {"id": f"sliced/{name}/{n}x{d}x{l}", "bytes": 2 * F32 * n * d, "flops": 4 * n * d * l}
    for n, d, l in SHAPES
    for name in ONE_SAMPLE
] + [
    {
        "id": f"sliced/two_sample_wasserstein2/{n}x{d}x{l}",
        "bytes": 3 * F32 * n * d,
        "flops": 6 * n * d * l,
    }
    for n, d, l in SHAPES
] + [
    # The squared distances, and what the gradient takes of them.
    {"id": f"sliced/direct/{name}/{n}x{d}", "bytes": 2 * F32 * n * d * samples, "flops": 4 * pairs * n * n * d}
    for n, d in DIRECT
    for name, samples, pairs in [("cramer_wold", 1, 1), ("cramer_wold_exact", 1, 1), ("mmd", 2, 3)]
]


@functools.lru_cache
def cells(n):
    """Means of the normal's n equal parts, and what they leave of its variance."""
    import torch

    q = torch.special.ndtri(torch.arange(n + 1, dtype=torch.float64) / n)
    density = torch.exp(-q * q / 2) / (2 * torch.pi) ** 0.5
    means = n * (density[:-1] - density[1:])
    return means.float()[:, None], float(1 - (means**2).mean())


def wasserstein2(y):
    means, within = cells(y.shape[0])
    return ((y.sort(0).values - means) ** 2).mean() + within


def cramer_wold(y):
    import torch

    n = y.shape[0]
    gamma = (4 / (3 * n)) ** 0.4

    def normal(x, variance):
        return torch.exp(-x * x / (2 * variance)) / (2 * torch.pi * variance) ** 0.5

    total = 0
    for column in y.unbind(1):
        pairs = normal(column[:, None] - column[None, :], 2 * gamma).mean()
        total = total + pairs - 2 * normal(column, 1 + 2 * gamma).mean()
    return total / y.shape[1] + 1 / (2 * torch.pi * (2 + 2 * gamma)) ** 0.5


def steps(y):
    import torch

    n = y.shape[0]
    return torch.special.ndtr(y.sort(0).values), torch.arange(1, n + 1)[:, None] / n


def cramer_von_mises(y):
    n = y.shape[0]
    z, after = steps(y)
    return ((z - (after - 0.5 / n)) ** 2).mean() + 1 / (12 * n * n)


def kolmogorov_smirnov(y):
    import torch

    z, after = steps(y)
    return torch.maximum(after - z, z - (after - 1 / y.shape[0])).amax(0).mean()


def anderson_darling(y):
    import torch

    n = y.shape[0]
    y = y.sort(0).values
    odd = (2 * torch.arange(1, n + 1) - 1)[:, None]
    return -1 - (odd * (torch.special.log_ndtr(y) + torch.special.log_ndtr(-y.flip(0)))).mean(0).mean() / n


def squares(x, y):
    return ((x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T).clamp_min(0)


def direct_cramer_wold(x, _):
    n, d = x.shape
    gamma = (4 / (3 * n)) ** 0.4
    steep = 4 / (2 * d - 3)
    own = (1 + steep * squares(x, x) / (4 * gamma)).rsqrt().mean() / (4 * math.pi * gamma) ** 0.5
    cross = (1 + steep * (x * x).sum(1) / (2 + 4 * gamma)).rsqrt().mean() / (2 * math.pi * (1 + 2 * gamma)) ** 0.5
    return own + 1 / (4 * math.pi * (1 + gamma)) ** 0.5 - 2 * cross


def direct_mmd(x, y):
    n, d = x.shape
    scales = [2 * d * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]

    def kernel(squares):
        return sum(scale / (scale + squares) for scale in scales)

    own = sum(kernel(squares(v, v)).sum() - n * len(scales) for v in (x, y)) / (n * (n - 1))
    return own - 2 * kernel(squares(x, y)).mean()


def make_direct(name, n, d, peer):
    """A function that computes value and gradients once."""
    import torch

    if peer.startswith("POT"):
        return None
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(n, d, generator=generator, requires_grad=True) for _ in range(2))
    distance = direct_mmd if name == "mmd" else direct_cramer_wold
    function = torch.compile(distance) if peer == "torch.compile" else distance

    def once():
        x.grad = y.grad = None
        function(x, y).backward()

    return once


def make(row, peer):
    """A function that computes value and gradient once."""
    import torch

    if row.startswith("sliced/direct/"):
        name, shape = row.split("/")[2:]
        return make_direct(name, *map(int, shape.split("x")), peer)
    _, name, shape = row.split("/")
    n, d, l = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, d, generator=generator, requires_grad=True)
    other = torch.randn(n, d, generator=generator)
    theta = torch.nn.functional.normalize(torch.randn(l, d, generator=generator), dim=1)
    if peer.startswith("POT"):
        if name != "two_sample_wasserstein2":
            return None
        import ot

        a, b, directions = x.detach().numpy(), other.numpy(), theta.T.contiguous().numpy()
        return lambda: ot.sliced_wasserstein_distance(a, b, projections=directions, p=2)
    if name == "cramer_wold" and (n > 1024 or peer == "torch.compile"):
        # Compiled, the loop over the directions is unrolled, which takes minutes.
        return None
    if name == "two_sample_wasserstein2":

        def distance(x, theta):
            gap = (x @ theta.T).sort(0).values - (other @ theta.T).sort(0).values
            return (gap**2).mean()
    else:
        on_line = globals()[name]

        def distance(x, theta):
            return on_line(x @ theta.T)

    function = torch.compile(distance) if peer == "torch.compile" else distance

    def once():
        x.grad = None
        function(x, theta).backward()

    return once
