"""Peers of benches/benches/sliced-models.rs: the same models, batches and optimiser in PyTorch.

Distances are those of sliced.py, but for Cramér–Wold: the double sum over pairs, here for all directions at once, which fits for
small batches.
Operations are those of the layers, three times for a step: forward, and both gradients.
"""

import types

from sliced import cramer_von_mises, kolmogorov_smirnov, wasserstein2

PEERS = ["torch eager", "torch.compile"]
# Cargo features of our side.
FEATURES = ["torch"]

F32 = 4
DIRECTIONS = 50
MODELS = ["ae", "swae", "scfwae", "scwae", "scvmae", "sksae", "cwae", "wae_mmd"]
WIDTHS = [784, 200, 200, 200, 20]
PARAMETERS = {"mlp": 483_604, "conv": 1_792_298}


def macs(networks):
    """Multiplications of one image forward."""
    if networks == "mlp":
        return 2 * sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:]))
    down = 31 * 31 * 4 * 9 + 15 * 15 * 4 * 96 + (14 * 14 + 13 * 13) * 4 * 1024 + 5408 * 128 + 128 * 64
    up = 64 * 128 + 128 * 8192 + 16 * 16 * 4 * 1024 * 2 + 16 * 16 * 9 * 1024 + 32 * 32 * 4 * 96
    return down + up


def row(model, networks, batch):
    return {
        "id": f"sliced_models/{model}/{networks}/{batch}",
        # Parameters, gradients and Adam's two moments, read and written.
        "bytes": F32 * 7 * PARAMETERS[networks],
        "flops": 6 * batch * macs(networks),
    }


ROWS = (
    [row(model, "mlp", 128) for model in MODELS]
    + [row("scwae", "mlp", 512)]
    + [row(model, "conv", 128) for model in MODELS]
)


def swae(z, directions):
    import torch

    drawn = torch.randn_like(z)
    return ((z @ directions).sort(0).values - (drawn @ directions).sort(0).values).square().mean()


def scfwae(z, directions):
    return wasserstein2(z @ directions)


def scwae(z, directions):
    import torch

    n = z.shape[0]
    gamma = (4 / (3 * n)) ** 0.4

    def normal(x, variance):
        return torch.exp(-x * x / (2 * variance)) / (2 * torch.pi * variance) ** 0.5

    y = (z @ directions).T
    pairs = normal(y[:, :, None] - y[:, None, :], 2 * gamma).mean()
    return pairs - 2 * normal(y, 1 + 2 * gamma).mean() + 1 / (2 * torch.pi * (2 + 2 * gamma)) ** 0.5


def scvmae(z, directions):
    return cramer_von_mises(z @ directions)


def sksae(z, directions):
    return kolmogorov_smirnov(z @ directions)


def squares(a, b):
    return a.square().sum(1)[:, None] + b.square().sum(1)[None, :] - 2 * a @ b.T


def cwae(z, _):
    import torch

    n, d = z.shape
    gamma = (4 / (3 * n)) ** 0.4
    pairs = (gamma + squares(z, z) / (2 * d - 3)).rsqrt().mean()
    cross = (gamma + 0.5 + z.square().sum(1) / (2 * d - 3)).rsqrt().mean()
    return (pairs + (1 + gamma) ** -0.5 - 2 * cross) / (2 * torch.pi**0.5)


def wae_mmd(z, _):
    import torch

    drawn = torch.randn_like(z)
    own, prior, cross = squares(z, z), squares(drawn, drawn), squares(z, drawn)
    total = 0
    for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        c = 2 * z.shape[1] * scale
        total = total + (c / (c + own)).mean() + (c / (c + prior)).mean() - 2 * (c / (c + cross)).mean()
    return total


def network(networks):
    import torch
    from torch import nn

    if networks == "mlp":

        def layers(widths):
            return [m for a, b in zip(widths, widths[1:]) for m in (nn.Linear(a, b), nn.ReLU())][:-1]

        encoder = nn.Sequential(nn.Flatten(), *layers(WIDTHS))
        return encoder, nn.Sequential(*layers(WIDTHS[::-1]), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.ConvTranspose2d(32, 32, 2)

        def forward(self, x):
            return torch.relu(self.layer(x)[:, :, :-1, :-1])

    encoder = nn.Sequential(
        nn.Conv2d(3, 3, 2), nn.ReLU(), nn.Conv2d(3, 32, 2, 2), nn.ReLU(), nn.Conv2d(32, 32, 2), nn.ReLU(),
        nn.Conv2d(32, 32, 2), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 128), nn.ReLU(), nn.Linear(128, 64),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8192), nn.ReLU(), nn.Unflatten(1, (32, 16, 16)),
        Same(), Same(), nn.ConvTranspose2d(32, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 3, 2), nn.Sigmoid(),
    )  # fmt: skip
    return encoder, decoder


def make(row, peer):
    """A function that takes one step."""
    import torch

    _, model, networks, batch = row.split("/")
    torch.manual_seed(0)
    encoder, decoder = network(networks)
    latent = 20 if networks == "mlp" else 64
    x = torch.rand(int(batch), *((1, 28, 28) if networks == "mlp" else (3, 32, 32)))
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, fused=True)
    distance = None if model == "ae" else globals()[model]

    def objective(x, directions):
        z = encoder(x)
        error = (decoder(z) - x).square().flatten(1).sum(1).mean()
        return error if distance is None else error + distance(z, directions).log()

    # Code of its own for each row: torch.compile gives up on a function that it has compiled eight times.
    own = types.FunctionType(objective.__code__.replace(), globals(), closure=objective.__closure__)
    function = torch.compile(own) if peer == "torch.compile" else own

    def step():
        adam.zero_grad(set_to_none=True)
        directions = torch.randn(latent, DIRECTIONS)
        loss = function(x, directions / directions.norm(dim=0))
        loss.item()
        loss.backward()
        adam.step()

    return step
