"""Who writes and who compares: the ports to models, one adapter a file."""
