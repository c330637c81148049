"""How good answers are: scores by task, a line for each answer, and a sheet of mistakes."""
