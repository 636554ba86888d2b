"""Property probes of table embedding models (imported as ``tablelens.probes``)."""
