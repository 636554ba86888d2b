-- One pair of columns: the evidence on it, and the join as SQL: that which tablelens/discover/hits.py
-- writes, in the same words, from what Python left of sources and letters.

-- A column as a side of an equality: what its table is read with, what it is called there, and its kept cells.
CREATE VIEW tablelens.main.sides AS
SELECT c.id, c.table_id, c.kind, c.family, c.distinct_values, c.cells, c.null_words, s.source, s.is_text,
       '"' || replace(coalesce(r.name, c.name), '"', '""') || '"' AS named
FROM column_rows c
JOIN sources s ON s.table_id = c.table_id
LEFT JOIN renamed r ON r.id = c.id;

CREATE MACRO tablelens.main.literal(text) AS '''' || replace(text, '''', '''''') || '''';

-- A cell with its white space as Python splits it, each run one space.
CREATE MACRO tablelens.main.collapsed(cell) AS
    regexp_replace(regexp_replace(cell, '[\s\x{0b}\x{1c}-\x{1f}\x{85}\p{Z}]+', ' ', 'g'), '^ | $', '', 'g');

-- The kept cells of a column, in their order, and whether the other column holds each.
CREATE MACRO tablelens.main.cells_held(left_id, right_id) AS TABLE
WITH kept AS (
    SELECT unnest(c.cells) AS cell, unnest(range(len(c.cells))) AS place
    FROM tablelens.main.column_rows c WHERE c.id = left_id
), valued AS (
    SELECT * FROM query(CASE WHEN tablelens.main.has('tablelens_normalize(NULL)')
        THEN 'SELECT kept.*, coalesce(tablelens_normalize(kept.cell), tablelens.main.spelled(kept.cell)) AS value FROM kept'
        ELSE 'SELECT kept.*, tablelens.main.spelled(kept.cell) AS value FROM kept' END)
)
SELECT v.cell, v.place, coalesce(tablelens.main.hash_of(v.value), hash(v.value)) IN (
           SELECT unnest(r.hashes) FROM tablelens.main.column_rows r WHERE r.id = right_id) AS held
FROM valued v;

-- Whether the matched cells are written alike on the other side; where that keeps some cells alone, among those it keeps.
CREATE MACRO tablelens.main.spelled_alike(matched, others, distinct_values) AS
    len(list_filter(matched, lambda cell: list_contains(others, cell))) > 0
    AND len(list_filter(matched, lambda cell: NOT list_contains(others, cell) AND (
            len(list_distinct(others)) >= distinct_values OR list_contains(
                list_transform(others, lambda other: lower(tablelens.main.collapsed(other))),
                lower(tablelens.main.collapsed(cell)))))) = 0;

-- How SQL has to compare two columns: tablelens/discover/condition.py.
CREATE MACRO tablelens.main.comparison(family, integers, matched, cells, alike) AS
    CASE WHEN family = 'number' AND len(list_filter(cells, lambda cell: regexp_matches(cell, '^[+-]?0\d'))) > 0 THEN 'code'
         WHEN family = 'number' AND integers THEN 'integer'
         WHEN family = 'number' THEN 'number'
         WHEN family = 'date' AND len(matched) > 0
              AND len(list_filter(matched, lambda cell: NOT regexp_matches(cell, '^\d{4}'))) = 0 THEN 'date'
         WHEN alike THEN 'spelling'
         ELSE 'text' END;

-- A text folded as far as the cells ask for: ``f`` says by what.
CREATE MACRO tablelens.main.folding(written, f) AS
    CASE WHEN f.spaces THEN 'lower(trim(regexp_replace(' ELSE 'lower(' END
    || repeat('replace(', len(f.others))
    || CASE WHEN len(f.letters) > 0 THEN 'translate(' ELSE '' END
    || CASE WHEN f.composed THEN 'nfc_normalize(' || written || ')' ELSE written END
    || CASE WHEN len(f.letters) > 0
            THEN ', ' || tablelens.main.literal(array_to_string(list_transform(f.letters, lambda x: x.letter), ''))
                 || ', ' || tablelens.main.literal(array_to_string(list_transform(f.letters, lambda x: x.folded), '')) || ')'
            ELSE '' END
    || array_to_string(list_transform(f.others, lambda x:
           ', ' || tablelens.main.literal(x.letter) || ', ' || tablelens.main.literal(x.folded) || ')'), '')
    || CASE WHEN f.spaces THEN ', ''\s+'', '' '', ''g'')))' ELSE ')' END;

CREATE MACRO tablelens.main.side(how, expression, written, f) AS
    CASE how WHEN 'text' THEN tablelens.main.folding(written, f)
             WHEN 'spelling' THEN written
             WHEN 'code' THEN 'regexp_replace(trim(' || written || '), ''\.0*$'', '''')'
             WHEN 'integer' THEN 'TRY_CAST(' || expression || ' AS DECIMAL(38, 9))'
             WHEN 'number' THEN 'TRY_CAST(' || expression || ' AS DOUBLE)'
             ELSE 'TRY_CAST(' || expression || ' AS TIMESTAMP)' END;

-- What both sides have for null joins nothing.
CREATE MACRO tablelens.main.but_null_words(how, words, one, written) AS
    CASE WHEN how = 'number' AND list_contains(words, 'nan') THEN E'\n AND NOT isnan(' || one || ')'
         WHEN how NOT IN ('spelling', 'text', 'code') OR len(words) = 0 THEN ''
         ELSE E'\n AND ' || CASE how WHEN 'text' THEN one ELSE 'lower(trim(' || written || '))' END || ' NOT IN ('
              || array_to_string(list_transform(words, lambda word: tablelens.main.literal(word)), ', ') || ')' END;

-- The join of two columns as SQL, ready to run, with the cells that match and that do not; by equality, or over the
-- bridges that ``steps`` names: 'near>far near>far', as the ids of columns.
CREATE MACRO tablelens.main.joined(left_id, right_id, steps) AS TABLE
WITH examples AS (
    SELECT coalesce(list(h.cell ORDER BY h.place) FILTER (h.held), []) AS matched,
           coalesce(list(h.cell ORDER BY h.place) FILTER (NOT h.held), []) AS unmatched
    FROM tablelens.main.cells_held(left_id, right_id) AS h
), bridges AS (
    SELECT unnest(range(len(x.ids))) AS n, unnest(list_transform(x.ids, lambda pair: pair[1]::BIGINT)) AS near_id,
           unnest(list_transform(x.ids, lambda pair: pair[2]::BIGINT)) AS far_id
    FROM (SELECT list_transform(string_split(steps, ' '), lambda pair: string_split(pair, '>')) AS ids WHERE steps <> '') AS x
), told AS (
    SELECT b.n, near.named AS near_named, far.named AS far_named, near.source AS source, near.table_id AS table_id, b.far_id,
           near.kind AS near_kind, far.kind AS far_kind, near.is_text AS is_text, near.cells AS near_cells,
           far.cells AS far_cells, near.null_words AS near_words, far.null_words AS far_words
    FROM bridges b JOIN tablelens.main.sides near ON near.id = b.near_id JOIN tablelens.main.sides far ON far.id = b.far_id
), over AS (
    SELECT count(*) AS bridges, arg_min(t.near_kind, t.n) AS near_kind, arg_min(t.far_kind, t.n) AS far_kind,
           arg_min(t.near_named, t.n) AS near_named, arg_min(t.far_named, t.n) AS far_named,
           arg_min(t.table_id, t.n) AS table_id, arg_min(t.far_id, t.n) AS far_id, bool_or(t.is_text) AS is_text,
           flatten(list(t.near_cells ORDER BY t.n)) AS near_cells, flatten(list(t.far_cells ORDER BY t.n)) AS far_cells,
           flatten(list(t.near_words)) AS near_words, flatten(list(t.far_words)) AS far_words,
           string_agg(format(E'SELECT {}t.{}::VARCHAR AS near, t.{}::VARCHAR AS far\n  FROM {} AS t',
                             CASE WHEN len(string_split(steps, ' ')) = 1 THEN 'DISTINCT ' ELSE '' END,
                             t.near_named, t.far_named, t.source), E'\n  UNION\n  ' ORDER BY t.n) AS united
    FROM told t
), pair AS (
    SELECT a.named AS a_named, a.is_text AS a_text, a.cells AS a_cells, a.null_words AS a_words, a.source AS a_source,
           b.named AS b_named, b.is_text AS b_text, b.cells AS b_cells, b.null_words AS b_words, b.source AS b_source,
           o.*, e.matched, e.unmatched,
           CASE WHEN o.bridges = 0 THEN 'direct' WHEN o.bridges = 1 AND o.table_id = a.table_id THEN 'own'
                WHEN o.bridges = 1 AND o.far_id = b.id THEN 'reached' ELSE 'over' END AS route,
           tablelens.main.comparison(
               a.family, a.kind = 'integer' AND b.kind = 'integer', e.matched, list_concat(a.cells, b.cells),
               tablelens.main.spelled_alike(e.matched, b.cells, b.distinct_values)) AS compared,
           CASE o.near_kind WHEN 'integer' THEN 'integer' ELSE 'text' END AS near_compared,
           CASE o.far_kind WHEN 'integer' THEN 'integer' ELSE 'text' END AS far_compared
    FROM tablelens.main.sides a, tablelens.main.sides b, over o, examples e
    WHERE a.id = left_id AND b.id = right_id
), equal AS (
    SELECT 1 AS n, CASE p.route WHEN 'own' THEN p.far_compared WHEN 'direct' THEN p.compared ELSE p.near_compared END AS how,
           'a.' || CASE p.route WHEN 'own' THEN p.far_named ELSE p.a_named END AS one, p.a_text AS one_text,
           CASE p.route WHEN 'own' THEN p.far_cells ELSE p.a_cells END AS one_cells,
           CASE p.route WHEN 'own' THEN p.far_words ELSE p.a_words END AS one_words,
           CASE p.route WHEN 'reached' THEN 'b.' || p.near_named WHEN 'over' THEN 'c.near' ELSE 'b.' || p.b_named END AS other,
           CASE p.route WHEN 'over' THEN true ELSE p.b_text END AS other_text,
           CASE p.route WHEN 'reached' THEN p.near_cells WHEN 'over' THEN p.near_cells ELSE p.b_cells END AS other_cells,
           CASE p.route WHEN 'reached' THEN p.near_words WHEN 'over' THEN p.near_words ELSE p.b_words END AS other_words
    FROM pair p
    UNION ALL
    SELECT 2, p.far_compared, 'c.far', true, p.far_cells, p.far_words, 'b.' || p.b_named, p.b_text, p.b_cells, p.b_words
    FROM pair p WHERE p.route = 'over'
), faced AS (
    SELECT e.*, e.one || CASE WHEN e.one_text THEN '' ELSE '::VARCHAR' END AS one_written,
           e.other || CASE WHEN e.other_text THEN '' ELSE '::VARCHAR' END AS other_written,
           list_sort(list_distinct(list_intersect(e.one_words, e.other_words))) AS words,
           array_to_string(list_filter(list_concat(e.one_cells, e.other_cells), lambda c: strlen(c) <> length(c)), '') AS foreign_text,
           len(list_filter(list_concat(e.one_cells, e.other_cells), lambda c: c <> tablelens.main.collapsed(c))) > 0 AS spaces
    FROM equal e
), unusual AS (
    SELECT f.n, list({'letter': l.letter, 'folded': l.folded} ORDER BY l.letter) AS found
    FROM faced f JOIN tablelens.main.letters l ON contains(nfc_normalize(f.foreign_text), l.letter) GROUP BY f.n
), turned AS (
    SELECT f.*, {'spaces': f.spaces, 'composed': f.foreign_text <> nfc_normalize(f.foreign_text),
                 'letters': list_filter(coalesce(u.found, []), lambda x: length(x.folded) = 1),
                 'others': list_filter(coalesce(u.found, []), lambda x: length(x.folded) <> 1)} AS f
    FROM faced f LEFT JOIN unusual u ON u.n = f.n
), conditions AS (
    SELECT t.n, tablelens.main.side(t.how, t.one, t.one_written, t.f) || ' = ' || tablelens.main.side(t.how, t.other, t.other_written, t.f)
                || tablelens.main.but_null_words(t.how, t.words, tablelens.main.side(t.how, t.one, t.one_written, t.f), t.one_written) AS text
    FROM turned t
)
SELECT p.matched[:5] AS matched, p.unmatched[:5] AS unmatched, CASE p.route
    WHEN 'over' THEN format(E'SELECT a.*, b.*\nFROM {} AS a\nJOIN (\n  {}\n) AS c\n  ON {}\nJOIN {} AS b\n  ON {}',
                            p.a_source, p.united, one.text, p.b_source, two.text)
    ELSE format(E'SELECT *\nFROM {} AS a\nJOIN {} AS b\n  ON {}', p.a_source, p.b_source, one.text) END AS sql
FROM pair p JOIN conditions one ON one.n = 1 LEFT JOIN conditions two ON two.n = 2;

CREATE MACRO tablelens.main.evidence(left_reference, right_reference) AS TABLE
SELECT h.* EXCLUDE (rank, id, score, sql, steps), j.matched, j.unmatched, coalesce(h.sql, j.sql) AS sql
FROM tablelens.main.hits(left_reference, NULL, NULL, NULL, right_reference, 1, 'auto', NULL, NULL, NULL, 0, 0.0, 0) AS h,
     LATERAL (FROM tablelens.main.joined(tablelens.main.column_id(left_reference), h.id, h.steps)) AS j;

-- The join of two columns as SQL, ready to run.
CREATE MACRO tablelens.main.join_sql(left_reference, right_reference) AS (
    SELECT e.sql FROM tablelens.main.evidence(left_reference, right_reference) AS e
);
