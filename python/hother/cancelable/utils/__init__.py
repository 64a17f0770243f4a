"""Decorators, streams, bridges to threads, and helpers for tests."""
