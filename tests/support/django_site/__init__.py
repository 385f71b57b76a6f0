"""A Django project as small as one can be."""
