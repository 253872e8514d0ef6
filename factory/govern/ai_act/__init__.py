"""The answers to the EU's template of training content, and what they say of a dataset when they are read back."""
