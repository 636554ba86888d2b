"""Property probes of table embedding models (imported as ``tablelens.probes``).

    table ── variants ── pieces ── vectors ── observations ── estimates ── verdict ──► report · compare · catalogue
             (property)  (model)   (cache)    (one a table)   (bootstrap)

A property is one file in ``properties``, a model one adapter in ``models``; all else is shared.
"""
