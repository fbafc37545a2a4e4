"""Peers of benches/benches/quantize.rs: nearest codes, an EMA training step and Gumbel-softmax over all codes, f32.

torch builds the matrix of all vectors against all codes; faiss has nearest codes only; vector-quantize-pytorch the training step
with moving averages only.
"""

PEERS = ["torch eager", "torch.compile", "faiss", "vector-quantize-pytorch"]

F32 = 4
SIZES = [(65536, 512, 64), (16384, 8192, 256)]
N, K, D = SIZES[0]

# Vectors in; indices or vectors out. One product for nearest codes, two for the weighted sum, five more for its gradients.
ROWS = [
    {"id": f"quantize/assign/{n}x{k}x{d}", "bytes": F32 * n * d + 8 * n, "flops": 2 * n * k * d} for n, k, d in SIZES
] + [
    {"id": f"quantize/ema_step/{N}x{K}x{D}", "bytes": 3 * F32 * N * D, "flops": 2 * N * K * D},
    {"id": f"quantize/gumbel_forward/{N}x{K}x{D}", "bytes": 2 * F32 * N * D, "flops": 4 * N * K * D},
    {"id": f"quantize/gumbel_forward_backward/{N}x{K}x{D}", "bytes": 5 * F32 * N * D, "flops": 14 * N * K * D},
]


def gumbel(z, codes):
    """The paper's: softmax of negative squared distances with noise, τ = 10."""
    import torch

    logits = 2 * z @ codes.T - (codes * codes).sum(1) - (z * z).sum(1, keepdim=True)
    return torch.nn.functional.gumbel_softmax(logits, tau=10.0) @ codes


def assign(z, codes):
    import torch

    return torch.cdist(z, codes).argmin(1)


def ema_step(z, codes):
    """As in the paper's code, with one-hot rows."""
    import torch

    indices = torch.cdist(z, codes).argmin(1)
    one_hot = torch.nn.functional.one_hot(indices, codes.shape[0]).to(z.dtype)
    sizes = 0.8 + 0.2 * one_hot.sum(0)
    sums = 0.8 * codes + 0.2 * (one_hot.T @ z)
    total = sizes.sum()
    smoothed = (sizes + 1e-5) / (total + codes.shape[0] * 1e-5) * total
    quantized = codes[indices]
    return quantized, ((z - quantized) ** 2).mean(), sums / smoothed[:, None]


def make(row, peer):
    """A function that computes the row once."""
    import torch

    _, name, shape = row.split("/")
    n, k, d = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(n, d, generator=generator)
    codes = torch.randn(k, d, generator=generator)
    if peer == "faiss":
        if name != "assign":
            return None
        import faiss

        faiss.omp_set_num_threads(torch.get_num_threads())
        index = faiss.IndexFlatL2(d)
        index.add(codes.numpy())
        vectors = z.numpy()
        return lambda: index.search(vectors, 1)
    if peer == "vector-quantize-pytorch":
        if name != "ema_step":
            return None
        from vector_quantize_pytorch import VectorQuantize

        layer = VectorQuantize(dim=d, codebook_size=k, decay=0.8).train()
        batch = z[None]
        return lambda: layer(batch)
    if name == "gumbel_forward_backward":
        z.requires_grad_()
        codes.requires_grad_()
        function = torch.compile(gumbel) if peer == "torch.compile" else gumbel
        upstream = torch.randn(n, d, generator=generator)

        def once():
            z.grad = codes.grad = None
            function(z, codes).backward(upstream)

        return once
    function = {"assign": assign, "ema_step": ema_step, "gumbel_forward": gumbel}[name]
    function = torch.compile(function) if peer == "torch.compile" else function

    def without_grad():
        with torch.no_grad():
            return function(z, codes)

    return without_grad
