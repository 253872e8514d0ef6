"""Licences as rows carry them: SPDX expressions, what corpora write in their place, and the duties they bring."""
