"""Calibration: data in, one mergeable sketch a tensor out, and from it every range that is asked for.

One pass over the data serves every method, since a sketch keeps the whole distribution; the sketches
are the same to the last bit whatever the order, the batching and the number of workers.
"""
