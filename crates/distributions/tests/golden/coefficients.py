"""Prints the Chebyshev coefficients in src/special/{ndtr,gamma}.rs (mpmath, 60 digits)."""

from mpmath import cos, erfc, exp, findroot, mp, mpf, nstr, pi, psi, sqrt

mp.dps = 60


def chebyshev(function, terms, nodes=60):
    angles = [pi * (j + mpf(1) / 2) / nodes for j in range(nodes)]
    values = [function(cos(a)) for a in angles]
    return [
        (2 if k else 1) * sum(v * cos(k * a) for v, a in zip(values, angles)) / nodes for k in range(terms)
    ]


def scaled_tail(t):
    x = 6 * (1 + t) / (1 - t)
    return (x + 1) * exp(x * x / 2) * erfc(x / sqrt(2)) / 2


ZERO = findroot(lambda x: psi(0, x), mpf("1.4616321449683623"))


def digamma(t):
    x = (t + 3) / 2
    return psi(0, x) / (x - ZERO)


if __name__ == "__main__":
    for name, function, terms in [("SCALED_TAIL", scaled_tail, 25), ("DIGAMMA", digamma, 23)]:
        print(name)
        for c in chebyshev(function, terms):
            print(f"    {nstr(c, 20)},")
    high = float(ZERO)
    print("ZERO_HIGH", repr(high), "ZERO_LOW", repr(float(ZERO - mpf(high))))
