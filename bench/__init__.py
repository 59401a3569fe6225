"""Reproducible benchmarks. Each prints ratios measured in one run, since machines differ."""
