"""Files wherever they are: on this machine, in object stores, on the web, and inside archives."""
