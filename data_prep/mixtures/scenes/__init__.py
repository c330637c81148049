"""Sounds and icons made from formulas: free mixtures whose sources and pictures are known.

They are no recordings of anything: what is called a bell or a bird in them is a lookalike, told
apart by how it sounds and by its icon alone.
"""
