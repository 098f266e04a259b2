"""What a model writes of a person drawn from figures: values, stories, the particular, the portrait, the life book."""
