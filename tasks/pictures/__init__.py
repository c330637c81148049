"""Pictures of any task: letters of every script, and what is drawn beside them."""
