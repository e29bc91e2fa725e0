"""What bioduty-xl costs, beside what people would use instead and beside what nobody can go below.

`python -m benchmarks` makes workspaces of several sizes with their filled returns, runs ours and
the peers on them in turn, and prints medians, ratios, peak memory and how cost grows. It is no part
of the product, needs no network, and judges nothing but figures of the same run.
"""
