"""What a run took, in time and money: prices, the ledger priced, estimates before a run and their error after it."""
