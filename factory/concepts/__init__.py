"""Concepts: what a document teaches, as educational level, subject, topics and key concepts."""
