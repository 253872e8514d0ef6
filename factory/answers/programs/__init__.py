"""Programs that models wrote: which languages, how tests of them are laid out, and what came of running them."""
