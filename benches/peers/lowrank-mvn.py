"""Peers of benches/benches/lowrank-mvn.rs.

torch computes in f32 and, at this diagonal, with an error of several per cent (docs: theory of the low-rank normal); ours
accumulates in f64. The distribution is built inside the timed function, for everybody.
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
        yield {
            # Reads the factor twice, writes two gradients of its size; C⁻¹P costs r² more.
            "id": f"lowrank_mvn/log_prob_and_entropy_with_grad_into{layout}/{batch}x{n}",
            "bytes": 2 * factor * width // F32 + 2 * factor + 6 * small,
            "flops": gram + 2 * batch * n * RANK * (RANK + 4),
        }


ROWS = [row for shape in SHAPES for row in rows_of(*shape)]


def make(row, peer):
    """A function that computes value, and gradients where the row has them, once."""
    import torch
    from torch.distributions import LowRankMultivariateNormal

    _, what, *layout, shape = row.split("/")
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

    if what == "log_prob":
        function = torch.compile(density) if peer == "torch.compile" else density
        return lambda: function(x, loc, factor, diag)

    inputs = [x, loc, factor, diag.expand(batch, n).clone()]
    for tensor in inputs:
        tensor.requires_grad_()
    function = torch.compile(both) if peer == "torch.compile" else both
    upstream = torch.ones(batch)

    def once():
        log_prob, entropy = function(*inputs)
        of_density = torch.autograd.grad(log_prob, inputs, upstream, retain_graph=True)
        of_entropy = torch.autograd.grad(entropy, inputs[2:], upstream)
        return log_prob, entropy, of_density, of_entropy

    return once
