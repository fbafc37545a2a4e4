"""Peers of benches/benches/sos-vae.rs: the same model, data and optimiser in PyTorch, with its own LowRankMultivariateNormal.

Channels last and bf16 are switched on as PyTorch's users do, for the networks alone, as on our side. Operations are those of the
convolutions, three times for a step: forward, and both gradients.
"""

PEERS = ["torch eager", "torch.compile"]
# Cargo features of our side.
FEATURES = ["torch"]

BATCH, SIDE, RANK, LATENT = 64, 64, 25, 128
WIDTHS = [16, 32, 64, 128]
EPSILON = 1e-5
F32, BF16 = 4, 2
N = SIDE * SIDE


def macs():
    """Multiplications of one image forward."""
    total = 9 * WIDTHS[0] * N
    for level, width in enumerate(WIDTHS):
        area = N >> (2 * level)
        # Encoder and decoder: two blocks of two convolutions, one more block at the first level of both.
        total += area * 9 * width * width * (7 if level == 0 else 8)
        if level:
            total += area * 10 * width * WIDTHS[level - 1] * 2
    total += (N >> 6) * (WIDTHS[-1] ** 2 + LATENT * WIDTHS[-1] + LATENT * LATENT)
    return total + N * WIDTHS[0] * (WIDTHS[0] + 1 + RANK)


GRAM = BATCH * N * (RANK * (RANK + 1) // 2 + RANK)


def step_row(name, activation):
    """A training step whose activations have this many bytes."""
    return {
        "id": f"sos_vae/{name}/64x64x64",
        "bytes": BATCH * N * (F32 * 2 * RANK + activation * 4 * WIDTHS[0]),
        # The rate that this is divided by is that of products in f32.
        "flops": 2 * (3 * BATCH * macs() + GRAM),
    }


ROWS = [
    step_row("step", F32),
    step_row("step_channels_last", F32),
    step_row("step_bf16", BF16),
    {
        "id": "sos_vae/likelihood/64x64x64",
        "bytes": F32 * BATCH * N * (3 * RANK + 6),
        "flops": 2 * (GRAM + BATCH * N * RANK * (RANK + 2)),
    },
]


def network(bf16):
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, inputs, outputs, resize=None):
            super().__init__()
            self.first = convolution(inputs, outputs, 3, resize)
            self.first_norm = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
            self.second_norm = nn.BatchNorm2d(outputs)
            changed = inputs != outputs or resize
            self.skip = convolution(inputs, outputs, 1, resize) if changed else nn.Identity()

        def forward(self, x):
            inner = functional.relu(self.first_norm(self.first(x)))
            return functional.relu(self.skip(x) + self.second_norm(self.second(inner)))

    def convolution(inputs, outputs, kernel, resize):
        if resize == "double":
            return nn.ConvTranspose2d(inputs, outputs, kernel, 2, kernel // 2, output_padding=1)
        return nn.Conv2d(inputs, outputs, kernel, 2 if resize == "halve" else 1, kernel // 2)

    def activated(layer, channels):
        return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.ReLU())

    first, last = WIDTHS[0], WIDTHS[-1]
    down = [activated(nn.Conv2d(1, first, 3, 1, 1), first), Block(first, first), Block(first, first)]
    for small, large in zip(WIDTHS, WIDTHS[1:]):
        down += [Block(small, large, "halve"), Block(large, large)]
    down += [activated(nn.Conv2d(last, last, 1), last)]
    corner = SIDE >> (len(WIDTHS) - 1)
    up = [nn.ConvTranspose2d(LATENT, LATENT, corner), activated(nn.Conv2d(LATENT, last, 1), last), Block(last, last)]
    for small, large in reversed(list(zip(WIDTHS, WIDTHS[1:]))):
        up += [Block(large, small, "double"), Block(small, small)]
    up += [Block(first, first), activated(nn.Conv2d(first, first, 1), first), nn.Conv2d(first, 1 + RANK, 1)]

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
            self.mean, self.spread = nn.Linear(last, LATENT), nn.Linear(last, LATENT)
            nn.init.normal_(self.decoder[-1].weight, std=1e-5)
            nn.init.zeros_(self.decoder[-1].bias)

        def forward(self, x, noise):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                features = self.encoder(x).amax((2, 3))
            features = features.float()
            mean, variance = self.mean(features), functional.softplus(self.spread(features)) + 1e-5
            kl = 0.5 * (variance + mean**2 - 1 - variance.log()).sum(-1).mean()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                output = self.decoder((mean + variance.sqrt() * noise)[:, :, None, None])
            output = output.float()
            loc = output[:, 0].flatten(1) + 0.5
            factor = output[:, 1:].flatten(2).mT
            return likelihood(x.flatten(1), loc, factor) + (kl,)

    return Model()


def likelihood(x, loc, factor):
    import torch
    from torch.distributions import LowRankMultivariateNormal

    diag = torch.full_like(loc, EPSILON)
    p = LowRankMultivariateNormal(loc, factor, diag, validate_args=False)
    return -p.log_prob(x).mean(), p.entropy().mean()


def make(row, peer):
    """A function that takes one step, or computes the likelihood and its gradients, once."""
    import torch

    compiled = torch.compile if peer == "torch.compile" else lambda f: f
    generator = torch.Generator().manual_seed(1)
    if row.startswith("sos_vae/likelihood"):
        mean = torch.rand(BATCH, N, generator=generator).mul(0.2).sub(0.1).requires_grad_()
        factor = torch.rand(BATCH, RANK, N, generator=generator).mul(0.2).sub(0.1).requires_grad_()
        x = torch.rand(BATCH, N, generator=generator)
        function = compiled(lambda mean, factor: likelihood(x, mean, factor.mT))

        def once():
            mean.grad = factor.grad = None
            distortion, entropy = function(mean, factor)
            (distortion + 2 * entropy).backward()

        return once

    torch.manual_seed(0)
    model = network(bf16=row.startswith("sos_vae/step_bf16"))
    x = torch.rand(BATCH, 1, SIDE, SIDE, generator=generator)
    if row.startswith("sos_vae/step_channels_last"):
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    function = compiled(model)
    adam = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    multipliers = {"kl": 0.0, "entropy": 0.0}
    floor = 0.5 * N * (1 + torch.log(torch.tensor(2 * torch.pi * EPSILON, dtype=torch.double)).item())
    targets = {"kl": 45.0, "entropy": floor + 5.5 * RANK}

    def step():
        adam.zero_grad(set_to_none=True)
        distortion, entropy, kl = function(x, torch.randn(BATCH, LATENT))
        loss = distortion
        for name, term in (("kl", kl), ("entropy", entropy)):
            excess = term.item() - targets[name]
            loss = loss + (multipliers[name] + 10 * excess) * term
            multipliers[name] = max(0.0, multipliers[name] + excess)
        loss.backward()
        adam.step()

    return step
