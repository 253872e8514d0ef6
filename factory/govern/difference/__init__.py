"""How two published datasets differ: what was asked for, what came out, and which rows they share."""
