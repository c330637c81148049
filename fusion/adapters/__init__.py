"""Adapters on a model: attach, switch, mix per row, merge, quantise, save, count."""

from fusion.adapters.interface import Adapters, attach

__all__ = ["Adapters", "attach"]
