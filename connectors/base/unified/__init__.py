"""Exchanges behind a library that unifies them (ccxt): what we use of its interface, without importing it.

The library itself enters through connectors/ccxt_any.py only; what is here receives its objects.
"""
