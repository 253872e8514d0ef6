"""The documents of the bundle, a module each: what it writes from the facts, and what it reads back."""
