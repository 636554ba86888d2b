"""Find the files of a lake and read them safely."""
