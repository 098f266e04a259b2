"""Taxonomy -> Persona: anchors, the core from figures, latents, selection, fill, stories, narrative."""
