"""What classify.py counts of its predictions, for the table that it ends with: a file for each kind of label."""
