"""Persona -> Population: validators (one file each) and what is built on them."""
