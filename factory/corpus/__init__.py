"""Source files, formats, readers, document ids, built-in corpora."""
