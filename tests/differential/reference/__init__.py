"""Other engines that run the same queries over the same data."""
