"""What a run will take, from what was measured below the same root; and how far that was off afterwards."""
