"""The public names are sorted, there, and all that ``dir`` of a star import gives."""

import importlib
import pkgutil

import pytest

import tablelens


def test_all_is_sorted_and_complete():
    assert tablelens.__all__ == sorted(tablelens.__all__)
    for name in tablelens.__all__:
        assert getattr(tablelens, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Laek"):
        _ = tablelens.Laek


def test_errors_have_codes_and_exit_codes_of_their_own_kind():
    from tablelens import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert {kind.exit_code for kind in kinds} <= {1, 2, 3, 4, 7, 8}
    for kind in kinds:
        assert kind.__name__ in errors.__doc__


def test_errors_survive_a_process_border():
    import pickle

    from tablelens.errors import UnknownTable, UnreadableFile

    for error in (UnknownTable("no", "try"), UnreadableFile("bad", "mend", "bomb")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), vars(again)) == (type(error), vars(error))


@pytest.mark.parametrize("package", ["tablelens", "tablelens.api", "tablelens.probes"])
def test_every_all_names_what_is_there(package):
    found = importlib.import_module(package)
    for info in pkgutil.walk_packages(found.__path__, f"{package}."):
        if not info.name.endswith("__main__") and ".sample_lake." not in info.name:
            module = importlib.import_module(info.name)
            assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
