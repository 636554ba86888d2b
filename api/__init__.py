"""The HTTP service of tablelens (imported as ``tablelens.api``)."""
