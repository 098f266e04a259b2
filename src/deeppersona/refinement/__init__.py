"""Refinement: what people do, in windows of time, made into a persona that predicts what they do next."""
