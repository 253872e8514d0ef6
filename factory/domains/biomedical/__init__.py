"""The pack `biomedical`: what its checks.py is made of. Each module is hashed with it (factory/domains/pack.py)."""
