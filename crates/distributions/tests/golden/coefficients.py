"""Prints the coefficients in src/special/{ndtr,gamma}.rs (mpmath, 60 digits)."""

from mpmath import cos, erfc, exp, findroot, mp, mpf, nstr, pi, psi, sqrt

mp.dps = 60


def chebyshev(function, terms, nodes=60):
    angles = [pi * (j + mpf(1) / 2) / nodes for j in range(nodes)]
    values = [function(cos(a)) for a in angles]
    return [
        (2 if k else 1) * sum(v * cos(k * a) for v, a in zip(values, angles)) / nodes for k in range(terms)
    ]


def powers(coefficients):
    """The same polynomial in powers of t, the highest first."""
    before, now, total = [mpf(0)], [mpf(1)], [mpf(0)] * len(coefficients)
    for k, c in enumerate(coefficients):
        for i, v in enumerate(now):
            total[i] += c * v
        longer = [mpf(0)] + [(1 if k == 0 else 2) * v for v in now]
        before, now = now, [v - (before[i] if i < len(before) and k else 0) for i, v in enumerate(longer)]
    return total[::-1]


def scaled_tail(t):
    x = 6 * (1 + t) / (1 - t)
    return (x + 1) * exp(x * x / 2) * erfc(x / sqrt(2)) / 2


ZERO = findroot(lambda x: psi(0, x), mpf("1.4616321449683623"))


def digamma(t):
    x = (t + 3) / 2
    return psi(0, x) / (x - ZERO)


if __name__ == "__main__":
    tables = [
        ("REVERSED_SCALED_TAIL", powers(chebyshev(scaled_tail, 25))),
        ("DIGAMMA", chebyshev(digamma, 23)),
    ]
    for name, table in tables:
        print(name)
        for c in table:
            print(f"    {nstr(c, 20)},")
    high = float(ZERO)
    print("ZERO_HIGH", repr(high), "ZERO_LOW", repr(float(ZERO - mpf(high))))
