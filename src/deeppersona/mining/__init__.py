"""Conversations -> Taxonomy: sieve, scrub, extract, merge, learn, report."""
