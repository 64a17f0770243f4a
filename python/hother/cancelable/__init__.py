"""Cancelation that always says why."""
