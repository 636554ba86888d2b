"""Make encoders: mine joinable pairs of a lake, train on them, keep what is better.

``tablelens.pipeline.train.train`` strings the parts together. torch is imported by ``static`` and ``sentence`` alone.
"""
