"""Planning, execution on Ray Data, the ledger and progress."""
