"""The gallery: one self-contained page that shows the people of a run and the population they make up."""
