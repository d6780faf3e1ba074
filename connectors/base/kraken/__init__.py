"""What Kraken's stream and its REST side are made of."""
