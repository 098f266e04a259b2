"""Asking people: inventories, respondents behind one port, answers on disk."""
