"""Pure mathematics over streams and samples of numbers; knows nothing of markets."""
