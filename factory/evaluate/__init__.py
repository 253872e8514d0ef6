"""Reports on what a run did and on the dataset it left."""
