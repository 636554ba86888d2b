-- Cells as values: when two count as the same (tablelens/profile/normalize.py), what kind they are, and what a list of them
-- is as a query.

CREATE MACRO tablelens.main.folded(cell) AS
    trim(regexp_replace(lower(nfc_normalize(cell::VARCHAR)), '[\s\x{1c}-\x{1f}\x{85}\p{Z}]+', ' ', 'g'));

-- A plain decimal number in one form: no plus, no zeros behind the point, no minus before 0.
CREATE MACRO tablelens.main.plain_number(value) AS
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        value, '^\+', ''), '^(-?)\.', '\10.'), '(\.\d*?)0+$', '\1'), '\.$', ''), '^-(0+(\.0*)?)$', '\1');

-- A cell's value, of a null word too.
CREATE MACRO tablelens.main.spelled(cell) AS
    CASE WHEN regexp_full_match(tablelens.main.folded(cell), '[+-]?(\d+(\.\d*)?|\.\d+)')
         THEN tablelens.main.plain_number(tablelens.main.folded(cell)) ELSE tablelens.main.folded(cell) END;

-- When two cells count as the same value: docs/explanation/how-it-works.md. Letters that only Unicode's compatibility
-- folding joins (full-width ones, ß and ss) stay apart here; the extension and Python fold them.
CREATE MACRO tablelens.main.normalize(cell) AS
    CASE WHEN tablelens.main.spelled(cell)
              IN ('', 'na', 'n/a', 'n.a.', 'nan', 'null', 'none', 'nil', '-', '--', '–', '—', '.', '#n/a', '?', '\n')
         THEN NULL ELSE tablelens.main.spelled(cell) END;

-- Whether cells are codes of two letters, for nearly all: NA is then one of them.
CREATE MACRO tablelens.main.are_codes(cells) AS
    len(list_filter(list_distinct(cells), lambda cell: regexp_full_match(trim(cell), '[A-Za-z]{2}')))
    >= greatest(20, 0.9 * len(list_distinct(cells)));

CREATE MACRO tablelens.main.values_in(cells) AS
    list_filter(CASE WHEN tablelens.main.are_codes(cells)
                     THEN list_transform(cells, lambda cell: CASE WHEN tablelens.main.folded(cell) = 'na' THEN 'na'
                                                                  ELSE tablelens.main.normalize(cell) END)
                     ELSE list_transform(cells, lambda cell: tablelens.main.normalize(cell)) END,
                lambda v: v IS NOT NULL);

CREATE MACRO tablelens.main.value_set(cells) AS
    list_distinct(tablelens.main.values_in(cells));

CREATE MACRO tablelens.main.containment(a, b) AS
    len(list_intersect(tablelens.main.value_set(a), tablelens.main.value_set(b)))
    / nullif(len(tablelens.main.value_set(a)), 0);

CREATE MACRO tablelens.main.jaccard(a, b) AS
    len(list_intersect(tablelens.main.value_set(a), tablelens.main.value_set(b)))
    / nullif(len(list_distinct(list_concat(tablelens.main.value_set(a), tablelens.main.value_set(b)))), 0);

-- What a list of cells from outside is as a query; its values have no vector here.
CREATE MACRO tablelens.main.is_date(value) AS regexp_full_match(value,
    '\d{4}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01])([t ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(z|[+-]\d{2}:?\d{2})?)?|(0?[1-9]|[12]\d|3[01])[-/.](0?[1-9]|[12]\d|3[01])[-/.]\d{4}');

CREATE MACRO tablelens.main.is_text(value) AS
    regexp_matches(value, '\p{L}') AND NOT tablelens.main.is_date(value)
    AND NOT regexp_full_match(value, '[^\p{L}\p{N}]*\p{Nd}[^\p{L}]*\p{L}{0,2}[^\p{L}\p{N}]*');

CREATE MACRO tablelens.main.family_of(cells) AS
    CASE WHEN 2 * len(list_filter(cells, lambda v: tablelens.main.is_text(v))) >= len(cells) THEN 'text'
         WHEN len(list_filter(cells, lambda v: regexp_full_match(v, '[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?'))) >= 0.95 * len(cells)
         THEN 'number'
         WHEN len(list_filter(cells, lambda v: tablelens.main.is_date(v))) >= 0.95 * len(cells) THEN 'date'
         ELSE 'number' END;

CREATE MACRO tablelens.main.says_nothing(cells) AS
    len(cells) < 2 OR len(list_filter([['true', 'false'], ['yes', 'no'], ['y', 'n'], ['t', 'f'], ['0', '1'], ['on', 'off']],
                                      lambda truth: list_has_all(truth, cells))) > 0;

CREATE MACRO tablelens.main.parts_of(name) AS
    list_sort(list_distinct(list_transform(regexp_extract_all(nfc_normalize(regexp_replace(regexp_replace(
        coalesce(name, ''), '(\p{Ll})(\p{Lu})', '\1 \2', 'g'), '(\p{Lu})(\p{Lu}\p{Ll})', '\1 \2', 'g')), '[\p{L}\p{M}]+|\p{N}+'),
        lambda w: lower(w))));

CREATE MACRO tablelens.main.hashes_of(seen) AS
    list_sort(list_transform(seen, lambda v: coalesce(tablelens.main.hash_of(v), hash(v))));
