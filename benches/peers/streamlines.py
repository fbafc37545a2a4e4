"""Peers of benches/benches/streamlines.rs: dipy for distances and resampling, nibabel for files, f32.

Both run on one thread: neither has these functions on more.
"""

import io

PEERS = ["dipy, nibabel"]

F32 = 4
POINT = 3 * F32
PAIRS = [500, 2000]

# Points in, the matrix out (f64 with dipy, f32 here). A difference, a square and a sum for each coordinate, direct and turned
# round, or each point with each.
ROWS = (
    [
        {"id": f"streamlines/mdf/{n}x{n}x20", "bytes": 2 * 20 * POINT * n + F32 * n * n, "flops": n * n * 2 * 20 * 10}
        for n in PAIRS
    ]
    + [
        {"id": f"streamlines/mam/{n}x{n}x20", "bytes": 2 * 20 * POINT * n + F32 * n * n, "flops": n * n * 400 * 10}
        for n in PAIRS
    ]
    + [
        {"id": "streamlines/buan/64x64x64", "bytes": 2 * 64 * 64 * POINT, "flops": 64 * 64 * 2 * 20 * 10},
        {"id": "streamlines/resample/2000x50x64", "bytes": 2000 * (50 + 64) * POINT, "flops": 2000 * 64 * 12},
        {"id": "streamlines/read_trk/2000x50", "bytes": 2 * 2000 * 50 * POINT, "flops": 2000 * 50 * 18},
        {"id": "streamlines/read_tck/2000x50", "bytes": 2 * 2000 * 50 * POINT, "flops": 0},
    ]
)


def bundle(n, points, seed):
    """Streamlines of about 100 mm that lie within some mm of each other."""
    import numpy as np

    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, points)
    bow = np.stack([100 * t - 50, 120 * t * (1 - t), 10 * t * t], 1)
    lines = bow + rng.uniform(-10, 10, (n, 1, 3)) + rng.uniform(-0.5, 0.5, (n, points, 3))
    return [np.ascontiguousarray(line, dtype=np.float32) for line in lines]


class Orders:
    """The order of a bundle as it is, in the place of numpy's generator."""

    def choice(self, n, k, replace):
        import numpy as np

        return np.arange(n)


def make(row, peer):
    """A function that computes it once."""
    import numpy as np
    from dipy.segment.bundles import bundle_shape_similarity
    from dipy.tracking.distances import bundles_distances_mam, bundles_distances_mdf
    from dipy.tracking.streamline import Streamlines, set_number_of_points
    from nibabel.streamlines import TckFile, Tractogram, TrkFile

    _, name, shape = row.split("/")
    if name in ("mdf", "mam"):
        n = int(shape.split("x")[0])
        a, b = bundle(n, 20, 1), bundle(n, 20, 3)
        function = bundles_distances_mdf if name == "mdf" else bundles_distances_mam
        return lambda: function(a, b)
    if name == "buan":
        a, b = Streamlines(bundle(64, 64, 1)), Streamlines(bundle(64, 64, 3))
        return lambda: bundle_shape_similarity(a, b, Orders(), clust_thr=(0,), threshold=6)
    lines = Streamlines(bundle(2000, 50, 5))
    if name == "resample":
        return lambda: set_number_of_points(lines, nb_points=64)
    kind = TrkFile if name == "read_trk" else TckFile
    content = io.BytesIO()
    kind(Tractogram(lines, affine_to_rasmm=np.eye(4))).save(content)

    def read():
        content.seek(0)
        kind.load(content)

    return read
