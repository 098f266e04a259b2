"""The nouns of the story: frozen types, no input or output."""
