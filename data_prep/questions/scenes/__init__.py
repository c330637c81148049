"""Pictures drawn by rule, with questions, statements and captions that are true of them.

Free data in two worlds that share the grammar of pictures and neither a colour, a shape nor a
template: a model trained on one can be adapted to the other.
"""
