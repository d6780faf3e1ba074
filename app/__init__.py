"""Faces: the browser and the API."""
