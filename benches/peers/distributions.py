"""Peers of benches/benches/distributions.rs.

A row is one criterion id with what its result costs at least: the bytes that must be read and written once, and the
floating-point operations (an exponential or logarithm counted as 10).
"""

PEERS = ["torch eager", "torch.compile"]

BATCH, DIM = 4096, 128
F32 = 4
N = BATCH * DIM

# "into" reuses the memory of the results, as the peers' allocators do after the first round; the plain rows ask for it anew.
ROWS = [
    {
        # Reads loc and scale of both, writes four gradients and one value per row.
        "id": f"kl_diagonal_diagonal/{form}/4096x128",
        "bytes": F32 * (8 * N + BATCH),
        "flops": 30 * N,
    }
    for form in ("value_and_grad", "value_and_grad_into")
] + [
    {
        # Reads loc and log-variance, writes two gradients and one value per row.
        "id": f"kl_diagonal_standard/{form}/4096x128",
        "bytes": F32 * (4 * N + BATCH),
        "flops": 20 * N,
    }
    for form in ("value_and_grad", "value_and_grad_into")
]


def kl_diagonal_diagonal(loc_p, scale_p, loc_q, scale_q):
    """KL(p || q) of each row, as torch.distributions writes it."""
    ratio = (scale_p / scale_q) ** 2
    shift = ((loc_p - loc_q) / scale_q) ** 2
    return 0.5 * (ratio + shift - 1 - ratio.log()).sum(-1)


def kl_diagonal_standard(loc, log_variance):
    """KL(p || N(0, I)) of each row, as a VAE writes it."""
    return 0.5 * (log_variance.exp() + loc**2 - 1 - log_variance).sum(-1)


def make(row, peer):
    """A function that computes value and gradients once."""
    import torch

    generator = torch.Generator().manual_seed(1)

    def loc():
        return torch.randn(BATCH, DIM, generator=generator).requires_grad_()

    def scale():
        return (0.5 + torch.rand(BATCH, DIM, generator=generator)).requires_grad_()

    if row.startswith("kl_diagonal_diagonal/"):
        function, inputs = kl_diagonal_diagonal, [loc(), scale(), loc(), scale()]
    else:
        function, inputs = kl_diagonal_standard, [loc(), loc()]
    if peer == "torch.compile":
        function = torch.compile(function)
    upstream = torch.ones(BATCH)

    def once():
        value = function(*inputs)
        return value, torch.autograd.grad(value, inputs, upstream)

    return once
