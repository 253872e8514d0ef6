"""A published dataset in the forms that trainers read, each in a folder of its own with a manifest."""
