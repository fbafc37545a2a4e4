"""Reference values and files for the native tests: `python generate.py [--out DIR]`.

Needs nibabel and dipy. Writes TRK and TCK files as nibabel writes them, what nibabel reads from them (worlds.tsv), and for two
bundles (bundles.tsv) what dipy makes of them: resampled lines, lengths, distances, clusters, scores. Numbers of f32 are
printed as the f64 that they are, so that they are read back exactly.
"""

import argparse
import math
import pathlib
import struct
import warnings

import nibabel as nib
import numpy as np
from dipy.segment.bundles import ba_analysis, bundle_adjacency, bundle_shape_similarity
from dipy.segment.clustering import QuickBundlesX
from dipy.segment.metric import AveragePointwiseEuclideanMetric
from dipy.tracking.distances import bundles_distances_mam, bundles_distances_mdf
from dipy.tracking.streamline import length, set_number_of_points
from nibabel.streamlines import ArraySequence, TckFile, Tractogram, TrkFile
from nibabel.streamlines.tractogram_file import HeaderWarning

# Bundles are drawn from this, and nothing else is random: a product of whole numbers and the bits in its middle.
STATE = 20261128


def uniform():
    global STATE
    STATE = (STATE * 6364136223846793005 + 1442695040888963407) % 2**64
    return (STATE >> 40) / 2**24


def curve(points, shift, bend):
    """A bow of about 100 mm in steps of 1/64 mm, so that decimals are short."""
    line = []
    for k in range(points):
        t = k / (points - 1)
        x = 100 * t - 50
        y = bend * 4 * t * (1 - t)
        z = 10 * t * t
        noise = [uniform() - 0.5 for _ in range(3)]
        line.append([math.floor(64 * (a + b + c)) / 64 for a, b, c in zip((x, y, z), shift, noise)])
    return np.array(line, dtype=np.float32)


def bundle(n, shift):
    lines = []
    for i in range(n):
        offset = [s + 12 * (uniform() - 0.5) for s in shift]
        line = curve(5 + (7 * i) % 23, offset, 25 + 10 * uniform())
        lines.append(line[::-1].copy() if i % 3 == 1 else line)
    lines[n // 2] = lines[0].copy()  # a copy, and its reverse
    lines[n // 2 + 1] = lines[0][::-1].copy()
    return lines


def numbers(array):
    return " ".join(repr(float(x)) for x in np.asarray(array).ravel())


class Orders:
    """Stands for numpy's generator; `forward` keeps the order, else it is turned round."""

    def __init__(self, forward):
        self.forward = forward

    def choice(self, n, k, replace):
        order = np.arange(n)
        return order if self.forward else order[::-1].copy()


def tables():
    a, b = bundle(24, (0, 0, 0)), bundle(18, (3, 4, -2))
    bent = [np.array(line, dtype=np.float64) for line in a[:3]]
    rows = {"bundles": ["bundle\tline\tpoints x y z"], "resampled": ["bundle\tline\tdtype\tk\tpoints x y z"]}
    rows["lengths"] = ["bundle\tline\tdtype\tlength"]
    for name, lines in (("a", a), ("b", b)):
        for i, line in enumerate(lines):
            rows["bundles"].append(f"{name}\t{i}\t{numbers(line)}")
            rows["lengths"].append(f"{name}\t{i}\tf32\t{float(length(line))!r}")
    # A line with a point twice, and one that goes back over itself.
    odd = [np.array(p, dtype=np.float64) for p in ([[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 2, 0]], [[0, 0, 0], [3, 0, 0], [1, 0, 0]])]
    for i, line in enumerate(odd):
        rows["bundles"].append(f"odd\t{i}\t{numbers(line)}")
    for i, line in enumerate(bent + odd):
        name, k = ("a", i) if i < len(bent) else ("odd", i - len(bent))
        rows["lengths"].append(f"{name}\t{k}\tf64\t{float(length(line))!r}")
        for points in (2, 3, 20, 64):
            for dtype in ("f32", "f64"):
                given = line.astype(np.float32 if dtype == "f32" else np.float64)
                made = set_number_of_points([given], nb_points=points)[0]
                rows["resampled"].append(f"{name}\t{k}\t{dtype}\t{points}\t{numbers(made)}")

    a20, b20 = (set_number_of_points(x, nb_points=20) for x in (a, b))
    rows["mdf"] = ["row\tdistances"] + [f"{i}\t{numbers(r)}" for i, r in enumerate(bundles_distances_mdf(a20, b20))]
    rows["mam"] = ["kind\trow\tdistances"]
    for kind in ("avg", "min", "max"):
        for i, r in enumerate(bundles_distances_mam(a, b, metric=kind)):
            rows["mam"].append(f"{kind}\t{i}\t{numbers(r)}")

    rows["clusters"] = ["thresholds\torder\tmembers\tevery fifth point of the centroid x y z"]
    for thresholds in ([10.0], [20.0, 6.0], [12.0, 8.0, 4.0], [0.0]):
        for forward in (True, False):
            order = Orders(forward).choice(len(a20), len(a20), False)
            tree = QuickBundlesX(thresholds, metric=AveragePointwiseEuclideanMetric()).cluster(a20, ordering=order)
            for cluster in tree.get_clusters(len(thresholds)):
                members = " ".join(str(int(i)) for i in cluster.indices)
                word = "forward" if forward else "backward"
                rows["clusters"].append(f"{numbers(thresholds)}\t{word}\t{members}\t{numbers(cluster.centroid[::5])}")

    rows["scores"] = ["function\tclustering\torder\tthreshold\tscore"]
    for threshold in (2.0, 3.0, 4.0, 5.0, 6.0, 8.0):
        value = bundle_adjacency(a20, b20, threshold)
        assert value == ba_analysis(ArraySequence(a), ArraySequence(b), nb_pts=20, threshold=threshold)
        rows["scores"].append(f"adjacency\t\t\t{threshold!r}\t{float(value)!r}")
        for clustering in ((5, 3, 1.5), (10, 6), (0,)):
            for forward in (True, False):
                value = bundle_shape_similarity(
                    ArraySequence(a), ArraySequence(b), Orders(forward), clust_thr=clustering, threshold=threshold
                )
                word = "forward" if forward else "backward"
                rows["scores"].append(f"similarity\t{numbers(clustering)}\t{word}\t{threshold!r}\t{float(value)!r}")
    return rows, a, b


def grid(dimensions, sizes, order, affine):
    header = TrkFile.create_empty_header()
    header["dimensions"] = np.array(dimensions, dtype=np.int16)
    header["voxel_sizes"] = np.array(sizes, dtype=np.float32)
    header["voxel_order"] = order
    header["voxel_to_rasmm"] = np.array(affine, dtype=np.float32)
    return header


OBLIQUE = [[-1.9, 0.2, 0.1, 90.5], [0.25, 1.7, -0.5, -126.25], [0.1, 0.45, 1.75, -72.0], [0, 0, 0, 1]]
# The first column is weaker than the second on its own axis: the order in which axes are given away counts.
TILTED = [[0.596, 0.335, -0.729, -90.0], [-0.640, 0.747, -0.180, -126.0], [0.485, 0.574, 0.660, -72.0], [0, 0, 0, 1]]
SWAPPED = [[0, -1.5, 0, 80.0], [0, 0, 2.5, -100.0], [2.0, 0, 0, -60.0], [0, 0, 0, 1]]


def big_endian(content):
    """A TRK file without properties in the other byte order."""
    out = bytearray(content)

    def turn(at, to, size):
        for k in range(at, to, size):
            out[k : k + size] = out[k : k + size][::-1]

    for at, to, size in ((6, 12, 2), (12, 36, 4), (36, 38, 2), (238, 240, 2), (440, 504, 4), (956, 980, 4), (988, 1000, 4)):
        turn(at, to, size)
    turn(1000, len(out), 4)
    return bytes(out)


def patched(content, *changes):
    out = bytearray(content)
    for at, value in changes:
        out[at : at + len(value)] = value
    return bytes(out)


def files(out, a, b):
    few = a[:4]

    def save(name, tractogram, header=None, kind=TrkFile):
        kind(tractogram, header).save(str(out / name))

    plain = Tractogram(few, affine_to_rasmm=np.eye(4))
    save("plain.trk", plain)
    save("oblique.trk", plain, grid((91, 109, 91), (2, 1.8, 1.9), b"LAS", OBLIQUE))
    axes = "".join(nib.aff2axcodes(np.array(TILTED))).encode()
    save("tilted.trk", plain, grid((182, 218, 182), (1, 1, 1), axes, TILTED))
    # The order of the header is not the one that the affine implies.
    save("swapped.trk", plain, grid((90, 110, 70), (2, 1.5, 2.5), b"RAS", SWAPPED))
    full = Tractogram(few, affine_to_rasmm=np.eye(4))
    full.data_per_point["fa"] = [np.arange(len(s), dtype=np.float32)[:, None] / 8 for s in few]
    full.data_per_point["colour"] = [np.array(s) / 64 for s in few]
    full.data_per_streamline["mean_curvature"] = np.array([[0.5], [0.25], [np.nan], [2.0]], dtype=np.float32)
    full.data_per_streamline["ends"] = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], dtype=np.float32)
    save("full.trk", full, grid((91, 109, 91), (2, 2, 2), b"RAS", np.diag([2, 2, 2, 1])))
    save("empty.trk", Tractogram([], affine_to_rasmm=np.eye(4)))
    oblique = (out / "oblique.trk").read_bytes()
    (out / "big-endian.trk").write_bytes(big_endian(oblique))
    (out / "no-count.trk").write_bytes(patched(oblique, (988, struct.pack("<i", 0))))
    (out / "version-1.trk").write_bytes(patched(oblique, (992, struct.pack("<i", 1)), (948, b"\0\0\0\0")))

    save("plain.tck", plain, kind=TckFile)
    save("fields.tck", plain, {"step_size": "0.5", "method": "iFOD2", "max_angle": "45"}, TckFile)
    save("empty.tck", Tractogram([], affine_to_rasmm=np.eye(4)), kind=TckFile)
    # As MRtrix writes: blanks behind the magic, a count without zeros, the offset before the count, and a gap.
    points = (out / "plain.tck").read_bytes()[-(sum(len(s) + 1 for s in few) + 1) * 12 :]
    text = b"mrtrix tracks    \nmax_angle: 45\ncommand_history: tckgen a.mif\ncommand_history: tckedit b.tck\n"
    text += b"datatype: Float32LE\nfile: . 200\ncount: 4\ntotal_count: 9\nEND\n"
    (out / "mrtrix.tck").write_bytes(text.ljust(200, b"\0") + points)
    swapped = np.frombuffer(points, "<f4").astype(">f4").tobytes()
    text = text.replace(b"Float32LE", b"Float32BE")
    (out / "float32be.tck").write_bytes(text.ljust(200, b"\0") + swapped)
    # nibabel reads no f64.
    for name, order in (("float64le.tck", "<f8"), ("float64be.tck", ">f8")):
        head = text.replace(b"Float32BE", b"Float64LE" if order == "<f8" else b"Float64BE")
        (out / name).write_bytes(head.ljust(200, b"\0") + np.frombuffer(points, "<f4").astype(order).tobytes())

    rows = ["file\tline\tworld points x y z"]
    for path in sorted(out.glob("*.t[rc]k")):
        if "float64" in path.name:
            continue
        for i, line in enumerate(nib.streamlines.load(str(path)).streamlines):
            rows.append(f"{path.name}\t{i}\t{numbers(line)}")
    return rows


def main():
    # Of headers that leave something out, which some of the files are made to do.
    warnings.filterwarnings("ignore", category=HeaderWarning)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    out = arguments.parse_args().out
    rows, a, b = tables()
    rows["worlds"] = files(out, a, b)
    for name, lines in rows.items():
        with open(out / f"{name}.tsv", "w") as table:
            table.write("# generated by generate.py, nibabel and dipy as pinned for `cargo xtask golden`\n")
            table.write("\n".join(lines) + "\n")


main()
