"""Peers of benches/benches/vq-diff.rs: the same model, data and optimiser in PyTorch, with its own gumbel_softmax.

Operations are those of the convolutions and of the products with the codebook, three times for a step: forward, and both gradients.
"""

PEERS = ["torch eager", "torch.compile"]
# Cargo features of our side.
FEATURES = ["torch"]

BATCH, SIDE, CHANNELS, INNER, CODE, CODES = 16, 64, 128, 32, 64, 512
TAU, SIGMA = 10.0, 2.0
F32 = 4
PLACES = (SIDE // 4) ** 2


def macs():
    """Multiplications of the networks for one datum forward."""
    half = CHANNELS // 2
    ends = 2 * (SIDE // 2) ** 2 * 16 * 3 * half
    middle = 2 * PLACES * 16 * half * CHANNELS
    units = 4 * PLACES * (9 * CHANNELS * INNER + INNER * CHANNELS)
    return ends + middle + units + PLACES * (9 * CHANNELS * CHANNELS + CHANNELS * CODE + 9 * CODE * CHANNELS)


MIXTURE = 2 * PLACES * CODES * CODE


def row(name, per_datum):
    area = SIDE * SIDE
    return {
        "id": f"vq_diff/{name}/{BATCH}x3x{SIDE}x{SIDE}",
        "bytes": F32 * BATCH * (2 * 3 * area + 4 * CHANNELS // 2 * area // 4 + 12 * CHANNELS * PLACES),
        "flops": 2 * 3 * BATCH * per_datum,
    }


ROWS = [row("step", macs() + MIXTURE), row("step_channels_last", macs() + MIXTURE), row("step_ae", macs())]


def network(mixed):
    import torch
    from torch import nn
    from torch.nn import functional

    class Unit(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(CHANNELS, INNER, 3, 1, 1, bias=False)
            self.second = nn.Conv2d(INNER, CHANNELS, 1, bias=False)

        def forward(self, x):
            return x + self.second(functional.relu(self.first(functional.relu(x))))

    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes = nn.Parameter(SIGMA * torch.randn(CODES, CODE))

        def forward(self, z):
            rows = z.permute(0, 2, 3, 1).reshape(-1, CODE)
            distances = (rows**2).sum(1, keepdim=True) + (self.codes**2).sum(1) - 2 * rows @ self.codes.T
            weights = functional.gumbel_softmax(-distances, tau=TAU)
            mixed = (weights @ self.codes).view(z.shape[0], z.shape[2], z.shape[3], CODE)
            return mixed.permute(0, 3, 1, 2).contiguous()

    half = CHANNELS // 2
    return nn.Sequential(
        nn.Conv2d(3, half, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(half, CHANNELS, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1),
        Unit(),
        Unit(),
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CODE, 1),
        Mixture() if mixed else nn.Identity(),
        nn.Conv2d(CODE, CHANNELS, 3, 1, 1),
        Unit(),
        Unit(),
        nn.ReLU(),
        nn.ConvTranspose2d(CHANNELS, half, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(half, 3, 4, 2, 1),
    )


def make(row, peer):
    """A function that takes one step."""
    import torch

    compiled = torch.compile if peer == "torch.compile" else lambda f: f
    torch.manual_seed(0)
    model = network(mixed=not row.startswith("vq_diff/step_ae"))
    x = 2 * torch.rand(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) - 1
    if row.startswith("vq_diff/step_channels_last"):
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    function = compiled(model)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        adam.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(function(x), x)
        loss.backward()
        adam.step()
        return loss.item()

    return step
