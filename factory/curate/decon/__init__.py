"""Decontamination: which rows hold items of evaluation benchmarks, by which rule, on what evidence."""
