"""Reference values for the native tests: `python generate.py [--out DIR]`.

Needs mpmath. Samples are dyadic numbers made by the same integer formulas as in tests/native/golden.rs, or the quantiles of
(k - 1/2)/n. Each value is computed from the textbook's form at two precisions and kept only if both agree to 25 digits.
"""

import argparse
import functools
import pathlib

import mpmath
from mpmath import mp, mpf

LOW, HIGH, AGREE, PRINT = 60, 90, 25, 25
SIZES = [1, 2, 3, 7, 16, 50]
POWERS = ["1", "1.5", "3"]
GRIDS = [100, 1000, 10000]
LARGE_GRID = 100000


def sample(kind, n):
    if kind == "plain":
        return [mpf((i * 37) % 101 - 50) / 16 for i in range(n)]
    if kind == "ties":
        return [mpf((i * 5) % 7 - 3) / 2 for i in range(n)]
    if kind == "far":
        return [(40 - mpf(i) / 8) * (-1) ** i for i in range(n)]
    return [mpf(3) / 4] * n


def cdf(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def density(x, variance=1):
    return mpmath.exp(-x * x / (2 * variance)) / mpmath.sqrt(2 * mpmath.pi * variance)


@functools.lru_cache(maxsize=None)
def quantile_at(p, _digits):
    return mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)


def quantile(p):
    return quantile_at(p, mp.dps)


def silverman(n):
    return (mpf(4) / (3 * n)) ** (mpf(2) / 5)


def wasserstein2(y):
    n = len(y)
    height = [mpf(0)] + [density(quantile(mpf(k) / n)) for k in range(1, n)] + [mpf(0)]
    return 1 + sum(v * v for v in y) / n - 2 * sum(y[k] * (height[k] - height[k + 1]) for k in range(n))


def wasserstein(y, p):
    """By quadrature on each side of every point; the ends of the line at 30."""
    n, total = len(y), mpf(0)
    ends = [mpf(-30)] + [quantile(mpf(k) / n) for k in range(1, n)] + [mpf(30)]
    for k in range(n):
        cut = min(max(y[k], ends[k]), ends[k + 1])
        for a, b in ((ends[k], cut), (cut, ends[k + 1])):
            if a < b:
                pieces = max(1, int(mpmath.ceil((b - a) / 2)))
                points = [a + (b - a) * i / pieces for i in range(pieces + 1)]
                total += mpmath.quad(lambda x: abs(y[k] - x) ** p * density(x), points)
    return total


def cramer_wold(y):
    n, g = len(y), silverman(len(y))
    pairs = sum(density(a - b, 2 * g) for a in y for b in y) / n**2
    return pairs + density(0, 2 + 2 * g) - 2 * sum(density(a, 1 + 2 * g) for a in y) / n


def cramer_von_mises(y):
    n = len(y)
    return mpf(1) / (12 * n * n) + sum((cdf(v) - mpf(2 * k + 1) / (2 * n)) ** 2 for k, v in enumerate(y)) / n


def kolmogorov_smirnov(y):
    n = len(y)
    return max(max(mpf(k + 1) / n - cdf(v), cdf(v) - mpf(k) / n) for k, v in enumerate(y))


def anderson_darling(y):
    n = len(y)
    logs = sum((2 * k + 1) * (mpmath.log(cdf(y[k])) + mpmath.log(cdf(-y[n - 1 - k]))) for k in range(n))
    return -1 - logs / n**2


def agreed(function, digits=(LOW, HIGH)):
    results = []
    for dps in digits:
        mp.dps = dps
        results.append(function())
    low, high = results
    assert abs(low - high) <= abs(high) * mpf(10) ** -AGREE, (low, high)
    return mpmath.nstr(high, PRINT)


def line(kind, n):
    def ordered():
        return sorted(sample(kind, n))

    # Tails at 40 are 1e-350, and their logarithms are summed.
    functions = [wasserstein2, cramer_wold, cramer_von_mises, kolmogorov_smirnov, anderson_darling]
    return [agreed(lambda f=f: f(ordered()), (400, 450) if f is anderson_darling else (LOW, HIGH)) for f in functions]


def grid_wasserstein2(n):
    """Of the quantiles of (k - 1/2)/n; by symmetry half of them."""
    half = n // 2
    inner = [quantile(mpf(2 * k + 1) / (2 * n)) for k in range(half)]
    height = [mpf(0)] + [density(quantile(mpf(k) / n)) for k in range(1, half + 1)]
    squares = 2 * sum(v * v for v in inner) / n
    return 1 + squares - 4 * sum(inner[k] * (height[k] - height[k + 1]) for k in range(half))


def grid_anderson_darling(n):
    logs = sum((2 * k + 1) * mpmath.log(mpf(2 * k + 1) / (2 * n)) for k in range(n))
    return -1 - 2 * logs / n**2


def grid_cramer_wold(n, step):
    """The integral of squares over frequencies, by the trapezoid rule."""
    g, inner = silverman(n), [quantile(mpf(2 * k + 1) / (2 * n)) for k in range(n // 2)]
    total, k = mpf(0), 1
    while g * (step * k) ** 2 < 75:
        t = step * k
        gap = 2 * sum(mpmath.cos(t * v) for v in inner) / n - mpmath.exp(-t * t / 2)
        total += gap * gap * mpmath.exp(-g * t * t)
        k += 1
    return total * step / mpmath.pi


def kummer(d, s):
    a, b = mpf(1) / 2, mpf(d) / 2
    s = mpf(s)
    return [
        agreed(lambda: mpmath.hyp1f1(a, b, -s)),
        agreed(lambda: -a / b * mpmath.hyp1f1(a + 1, b + 1, -s)),
    ]


def direct(n, d):
    def distance():
        x = [[mpf((i * 7 + j * 13) % 17 - 8) / 4 for j in range(d)] for i in range(n)]
        g, half = silverman(n), mpf(1) / 2

        def mean(s):
            return mpmath.hyp1f1(half, mpf(d) / 2, -s)

        pairs = sum(mean(sum((u - v) ** 2 for u, v in zip(a, b)) / (4 * g)) for a in x for b in x) / n**2
        singles = sum(mean(sum(u * u for u in a) / (2 + 4 * g)) for a in x) / n
        own, cross = mpmath.sqrt(4 * mpmath.pi * g), mpmath.sqrt(2 * mpmath.pi * (1 + 2 * g))
        return pairs / own + 1 / mpmath.sqrt(4 * mpmath.pi * (1 + g)) - 2 * singles / cross

    return agreed(distance)


def two_sided(n, d):
    """P(D >= d): Steck's determinant of a Hessenberg matrix, by its recurrence."""

    def probability():
        e = mpf(d)
        low = [max(mpf(i) / n - e, 0) for i in range(1, n + 1)]
        high = [min(mpf(i) / n + e, 1) for i in range(n)]
        factorial = [mpf(1)]
        for k in range(1, n + 1):
            factorial.append(factorial[-1] * k)
        minors = [mpf(1)]
        for j in range(n):
            total, sign = mpf(0), 1
            for i in range(j, -1, -1):
                gap = high[i] - low[j]
                if gap > 0:
                    total += sign * minors[i] * gap ** (j - i + 1) / factorial[j - i + 1]
                sign = -sign
            minors.append(total)
        return 1 - factorial[n] * minors[n]

    return agreed(probability, (60 + 2 * n, 90 + 2 * n))


def omega(n, x):
    """P(W² >= x) to the order 1/n: Csörgő and Faraway's transform, inverted numerically."""

    def transform(t):
        theta = mpmath.sqrt(2 * t)
        csch, coth = mpmath.csch(theta), mpmath.coth(theta)
        q = mpf(1) / 12 - theta * csch / 36 - theta**2 / 144 - (theta * csch) ** 2 / 32 - 7 * theta * coth / 288
        # sqrt(theta / sinh(theta)), on the branch that is analytic off the negative axis.
        limit = mpmath.sqrt(2 * theta) * mpmath.exp(-theta / 2) / mpmath.sqrt(1 - mpmath.exp(-2 * theta))
        return limit * (1 + q / n) / t

    return agreed(lambda: 1 - mpmath.invertlaplace(transform, mpf(x), method="talbot", degree=mp.dps))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    out = parser.parse_args().out
    first = f"# generated by generate.py, mpmath {mpmath.__version__}, two precisions agreeing to {AGREE} digits"

    def write(name, columns, rows):
        lines = [first, "\t".join(columns)] + ["\t".join(map(str, row)) for row in rows]
        (out / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="ascii")

    kinds = ["plain", "ties", "far", "equal"]
    columns = ["kind", "n", "wasserstein2", "cramer_wold", "cramer_von_mises", "kolmogorov_smirnov", "anderson_darling"]
    write("line", columns, [[k, n] + line(kind, n) for k, kind in enumerate(kinds) for n in SIZES])
    powers = []
    for k, kind in enumerate(kinds):
        for n in (1, 3, 7):
            for p in POWERS:
                value = agreed(lambda kind=kind, n=n, p=p: wasserstein(sorted(sample(kind, n)), mpf(p)), (50, 60))
                powers.append([k, n, p, value])
    write("wasserstein", ["kind", "n", "p", "value"], powers)
    grids = []
    for n in GRIDS + [LARGE_GRID]:
        folded = agreed(lambda n=n: grid_wasserstein2(n), (50, 60))
        darling = agreed(lambda n=n: grid_anderson_darling(n), (50, 60))
        wold = "nan"
        if n < LARGE_GRID:
            results = []
            for digits, step in ((40, mpf("0.2")), (45, mpf("0.17"))):
                mp.dps = digits
                results.append(grid_cramer_wold(n, step))
            assert abs(results[0] / results[1] - 1) < mpf(10) ** -20, results
            wold = mpmath.nstr(results[1], PRINT)
        grids.append([n, folded, wold, darling])
    write("grid", ["n", "wasserstein2", "cramer_wold", "anderson_darling"], grids)
    places = [(d, s) for d in (1, 2, 3, 4, 8, 20, 64, 513) for s in ("1e-8", "0.1", "1", "7.25", "50", "333", "2000", "1e5")]
    write("kummer", ["dimensions", "s", "value", "slope"], [[d, s] + kummer(d, s) for d, s in places])
    write("direct", ["n", "dimensions", "value"], [[n, d, direct(n, d)] for n in (1, 5, 12) for d in (1, 2, 3, 8)])
    laws = [(1, "0.75"), (2, "0.625"), (5, "0.25"), (5, "0.5"), (10, "0.375"), (50, "0.125"), (50, "0.25"), (200, "0.0625")]
    laws += [(200, "0.125"), (500, "0.03125"), (500, "0.0625"), (500, "0.09375")]
    laws += [(50, "0.2265625"), (100, "0.1611328125"), (200, "0.1142578125")]
    write("kolmogorov", ["n", "d", "p_value"], [[n, d, two_sided(n, d)] for n, d in laws])
    laws = [(n, x) for n in (3, 5, 20, 1000) for x in ("0.0625", "0.09375", "0.125", "0.1875", "0.25", "0.375", "0.5", "0.625")]
    write("omega", ["n", "statistic", "p_value"], [[n, x, omega(n, x)] for n, x in laws])


if __name__ == "__main__":
    main()
