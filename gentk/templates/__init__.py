"""Templates: the distributions that `gentk plugin new` writes.

Files end in `.tmpl`; `{{name}}` and the other fields of `gentk.templates.distribution` are filled in.
The component of each kind is a small one that works, to be replaced.
"""
