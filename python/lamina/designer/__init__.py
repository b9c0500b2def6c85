"""The designer: a person picks among generated pictures, and new ones are drawn around the picks."""
