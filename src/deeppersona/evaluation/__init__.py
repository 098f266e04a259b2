"""How good a population is, one evaluator a file."""
