"""Sixty small real tables that join: data of the package (imported as ``tablelens.sample_lake``)."""
