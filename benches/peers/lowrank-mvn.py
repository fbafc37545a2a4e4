"""Peers of benches/benches/lowrank-mvn.rs.

torch computes in f32 and, at this diagonal, with an error of several per cent (docs: theory of the low-rank normal); ours
accumulates in f64. The distribution is built inside the timed function, for everybody. A row without a
function has no such peer.
"""

PEERS = ["torch eager", "torch.compile"]

RANK = 25
DIAG = 1e-5
F32 = 4
SHAPES = [(32, 12288), (16, 49152)]
EDITS = 2048


def rows_of(batch, n):
    factor = F32 * batch * n * RANK
    small = F32 * batch * n
    # Gram matrix, its triangle only, and right-hand side: one multiplication and one addition each.
    gram = 2 * batch * n * (RANK * (RANK + 1) // 2 + RANK)
    for layout in ("", "/columns", "/bf16"):
        width = 2 if layout == "/bf16" else F32
        yield {
            "id": f"lowrank_mvn/log_prob{layout}/{batch}x{n}",
            "bytes": factor * width // F32 + 2 * small,
            "flops": gram,
        }
        for what, solve in (("backward", 0), ("backward_weighted", RANK)):
            yield {
                # One gradient of a sum of both, as a backward pass has it: reads the factor twice, writes it once. In the
                # plain sum C⁻¹P cancels.
                "id": f"lowrank_mvn/{what}{layout}/{batch}x{n}",
                "bytes": 2 * factor * width // F32 + factor + 6 * small,
                "flops": gram + 2 * batch * n * RANK * (solve + 2),
            }
        yield {
            # Reads the factor twice, writes two gradients of its size; C⁻¹P costs r² more.
            "id": f"lowrank_mvn/log_prob_and_entropy_with_grad_into{layout}/{batch}x{n}",
            "bytes": 2 * factor * width // F32 + 2 * factor + 6 * small,
            "flops": gram + 2 * batch * n * RANK * (RANK + 4),
        }


def rows_of_images(batch, n):
    factor = F32 * n * RANK
    yield {"id": f"lowrank_mvn/sample/{batch}x{n}", "bytes": batch * (factor + 2 * F32 * n), "flops": 2 * batch * n * RANK}
    for what in ("condition", "stroke"):
        # The image is written; the factor is read once.
        yield {"id": f"lowrank_mvn/{what}/{EDITS}of{n}", "bytes": factor + 2 * F32 * n, "flops": 2 * n * RANK}


ROWS = [row for shape in SHAPES for row in rows_of(*shape)] + list(rows_of_images(*SHAPES[1]))


def make(row, peer):
    """A function that computes value, and gradients where the row has them, once."""
    import torch
    import torch._functorch.config
    from torch.distributions import LowRankMultivariateNormal

    _, what, *layout, shape = row.split("/")
    if what in ("condition", "stroke"):
        return None if peer == "torch.compile" else edit(shape)
    # A compiled backward pass may run once only, unless told otherwise.
    torch._functorch.config.donated_buffer = False
    batch, n = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(1)

    def uniform(*size):
        return torch.rand(*size, generator=generator) * 2 - 1

    loc, x, factor = uniform(batch, n), uniform(batch, n), uniform(batch, n, RANK)
    if layout == ["columns"]:
        factor = factor.mT.contiguous().mT
    if layout == ["bf16"]:
        factor = factor.bfloat16()
    diag = torch.full((n,), DIAG)

    def distribution(loc, factor, diag):
        # torch has no Cholesky decomposition in bf16.
        factor = factor.float()
        return LowRankMultivariateNormal(loc, factor, diag.expand_as(loc), validate_args=False)

    def density(x, loc, factor, diag):
        return distribution(loc, factor, diag).log_prob(x)

    def both(x, loc, factor, diag):
        p = distribution(loc, factor, diag)
        return p.log_prob(x), p.entropy()

    if what == "sample":
        return None if peer == "torch.compile" else lambda: distribution(loc, factor, diag).rsample()

    if what == "log_prob":
        function = torch.compile(density) if peer == "torch.compile" else density
        return lambda: function(x, loc, factor, diag)

    inputs = [x, loc, factor, diag.expand(batch, n).clone()]
    for tensor in inputs:
        tensor.requires_grad_()
    function = torch.compile(both) if peer == "torch.compile" else both
    upstream = torch.ones(batch)

    def backward():
        log_prob, entropy = function(*inputs)
        weight = 0.5 if what == "backward_weighted" else 1
        return log_prob, entropy, torch.autograd.grad((log_prob + weight * entropy).sum(), inputs)

    if what.startswith("backward"):
        return backward

    def once():
        log_prob, entropy = function(*inputs)
        of_density = torch.autograd.grad(log_prob, inputs, upstream, retain_graph=True)
        of_entropy = torch.autograd.grad(entropy, inputs[2:], upstream)
        return log_prob, entropy, of_density, of_entropy

    return once


def edit(shape):
    """The mean image given some entries, by the dense covariance of those entries, as the SOS-VAE paper's code does."""
    import torch

    count, n = map(int, shape.split("of"))
    generator = torch.Generator().manual_seed(1)
    factor = torch.rand(n, RANK, generator=generator) * 2 - 1
    loc, values = torch.rand(n, generator=generator), torch.rand(count, generator=generator)
    indices = torch.randperm(n, generator=generator)[:count]
    rest = torch.ones(n, dtype=torch.bool)
    rest[indices] = False

    def once():
        seen = factor[indices]
        covariance = seen @ seen.T + DIAG * torch.eye(count)
        cross = factor[rest] @ seen.T
        image = loc.clone()
        image[indices] = values
        image[rest] += cross @ torch.linalg.solve(covariance, values - loc[indices])
        return image

    return once
