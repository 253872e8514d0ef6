"""How broad a run's questions are: coverage of the concept graph, saturation, likeness, templates, communities."""
