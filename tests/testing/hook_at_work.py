"""A hook module that works when it is imported."""

import tempfile

with tempfile.NamedTemporaryFile("w") as file:
    file.write("done")
