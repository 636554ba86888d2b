-- Functions of a catalogue snapshot, as macros that any DuckDB client runs: ATTACH 'catalog-7.duckdb' AS tablelens
-- (READ_ONLY). They call each other by full names, for a macro is looked up from where it is called.
--
-- joins, joins_of … first look whether the index can be asked: ``tablelens_hits`` is there where the extension was loaded
-- or Python registered it. Else they scan the catalogue, exactly. json_serialize_plan binds a statement without
-- running it, and says where that cannot be done. A call that can be bound is told apart three times as quickly as one
-- that cannot, and then nothing else takes long.
--
-- What a request says is held in a CTE that the text given to query() can speak of: a LATERAL would cost as much again.

CREATE MACRO tablelens.main.has(call) AS
    NOT contains(json_serialize_plan('SELECT ' || call)::VARCHAR, 'does not exist');

-- names ---------------------------------------------------------------------------------------------------------------

-- Columns that a reference TABLE.COLUMN may mean, where both may hold dots: the longest name of a table wins.
CREATE MACRO tablelens.main.meant(reference) AS TABLE
WITH prefixes AS (
    SELECT unnest([array_to_string(p.parts[:i], '.') for i in range(1, len(p.parts))]) AS prefix
    FROM (SELECT string_split(reference, '.') AS parts) AS p
), known AS (
    SELECT n.table_id, n.whole, length(n.name) AS size, substr(reference, length(n.name) + 2) AS wanted
    FROM prefixes JOIN tablelens.main.table_names n ON n.name = prefixes.prefix
)
SELECT c.id, known.table_id, known.size, known.whole, c.name = known.wanted AS spelled
FROM known JOIN tablelens.main.column_rows c
  ON c.table_id = known.table_id AND lower(c.name) = lower(known.wanted);

CREATE MACRO tablelens.main.column_id(reference) AS (
    SELECT CASE WHEN reference IS NULL THEN NULL
                WHEN found.id IS NULL
                THEN error(format('unknown column ''{}''. Hint: write TABLE.COLUMN as FROM tablelens.columns has them', reference))::BIGINT
                WHEN found.rivals > 1
                THEN error(format('''{}'' may be a column of {} tables. Hint: write LAKE:TABLE.COLUMN, or the suffix of its file', reference, found.rivals))::BIGINT
                ELSE found.id END
    FROM (
        SELECT arg_min(m.id, (-m.size, NOT m.whole, NOT m.spelled)) AS id,
               count(DISTINCT m.table_id) FILTER (m.top) AS rivals
        FROM (
            SELECT *, rank() OVER (ORDER BY size DESC, whole DESC) = 1 AS top FROM tablelens.main.meant(reference)
        ) AS m
    ) AS found
);

CREATE MACRO tablelens.main.table_id(reference) AS (
    SELECT CASE WHEN found.id IS NULL
                THEN error(format('unknown table ''{}''. Hint: FROM tablelens.tables lists them', reference))::BIGINT
                WHEN found.rivals > 1
                THEN error(format('''{}'' is the name of {} tables. Hint: write LAKE:TABLE, or the suffix of its file', reference, found.rivals))::BIGINT
                ELSE found.id END
    FROM (
        SELECT arg_min(m.table_id, NOT m.whole) AS id, count(*) FILTER (m.top) AS rivals
        FROM (
            SELECT *, rank() OVER (ORDER BY whole DESC) = 1 AS top FROM tablelens.main.table_names n WHERE n.name = reference
        ) AS m
    ) AS found
);

-- the exact scan ------------------------------------------------------------------------------------------------------

-- All columns as a query sees them. ``reach`` is the greatest hash that a column's set can tell of: all, or a sketch's last.
CREATE VIEW tablelens.main.candidates AS
SELECT c.id, c.table_id, l.name AS lake, t.name AS "table", c.name, w.words, c.position, c.kind, c.family, c.rows,
       c.rows - c.nulls AS filled, c.distinct_values, c.density, c.is_key, c.exact, c.excluded,
       CASE WHEN c.family = 'text' THEN c.texts ELSE c.distinct_values END AS strength,
       coalesce(s.reach, 18446744073709551615::UBIGINT) AS reach
FROM column_rows c
LEFT JOIN sketches s ON s.id = c.id
JOIN table_rows t ON t.id = c.table_id
JOIN lake_rows l ON l.id = c.lake_id
JOIN name_words w ON w.name = c.name;

-- Vectors of the encoder that the index was made with.
CREATE VIEW tablelens.main.vectors AS
SELECT c.column_id, e.vector
FROM contents c
JOIN encoded e ON e.content = c.content AND e.revision = c.revision
JOIN made m ON m.revision = c.revision;

CREATE MACRO tablelens.main.logit(p) AS ln(p / (1 - p));

-- How many of a set's hashes lie up to a bound; no bound is the greatest hash there can be.
CREATE MACRO tablelens.main.up_to(hashes, bound, all_of_them) AS
    greatest(CASE WHEN bound = 18446744073709551615::UBIGINT THEN all_of_them
                  ELSE len(list_filter(hashes, lambda h: h <= bound)) END, 1);

-- The probability of a join by equality or by meaning, as tablelens/discover/rank.py has it; bridges are not walked here.
-- w holds the bias and the weights of equality, then those of meaning, then those of bridges.
CREATE MACRO tablelens.main.shrunk(containment, distinct_values) AS
    greatest(least((containment * distinct_values - 0.5) / (distinct_values + 0.5), 0.999), 0.001);

CREATE MACRO tablelens.main.angle(cosine) AS greatest(least(coalesce(cosine, 0), 1), 0);

CREATE MACRO tablelens.main.by_equality(w, shrunk, cosine, alike, is_key, is_text, density) AS
    1 / (1 + exp(-(
        w[1] + w[2] * tablelens.main.logit(shrunk) + w[3] * tablelens.main.angle(cosine) + w[4] * alike
        + w[5] * is_key::INTEGER + w[6] * is_text::INTEGER + w[7] * (1 - density) + w[8] * alike * (NOT is_text)::INTEGER
        + w[9] * greatest(least((shrunk - 0.2) / 0.15, 1), 0))));

CREATE MACRO tablelens.main.by_meaning(w, cosine, alike) AS
    1 / (1 + exp(-(w[10] + w[11] * tablelens.main.angle(cosine) + w[12] * alike
        + w[13] * tablelens.main.angle(cosine) * alike)));

CREATE MACRO tablelens.main.probability(w, containment, distinct_values, cosine, alike, is_key, is_text, density, has_vector) AS
    1 - (1 - tablelens.main.by_equality(
            w, tablelens.main.shrunk(containment, distinct_values), cosine, alike, is_key, is_text, density))
        * (1 - CASE WHEN has_vector THEN tablelens.main.by_meaning(w, cosine, alike) ELSE 0 END);

-- What mode auto ranks by: among direct joins that are as likely, the one that brings more of the values comes first. Those
-- by meaning that are sure enough for a kept place come over bridges, of which this file knows nothing.
CREATE MACRO tablelens.main.merit(probability, containment) AS
    probability * CASE WHEN containment >= 0.3 THEN (1 + containment) / 2 ELSE 0.6 END;

-- Jaccard of the words of two names.
CREATE MACRO tablelens.main.alike(a, b) AS
    len(list_intersect(a, b)) / greatest(len(list_distinct(list_concat(a, b))), 1);

CREATE MACRO tablelens.main.cardinality(left_unique, right_unique) AS
    CASE WHEN left_unique AND right_unique THEN '1:1' WHEN left_unique THEN '1:n' WHEN right_unique THEN 'n:1' ELSE 'n:m' END;

-- Rows of a join, estimated from the mean rows of a value on both sides.
CREATE MACRO tablelens.main.join_rows(overlap, filled, distinct_values, other_filled, other_distinct) AS
    round_even(overlap * (filled / greatest(distinct_values, 1) * other_filled / greatest(other_distinct, 1)), 0)::BIGINT;

-- The hits of one column, or of cells from outside, by weighing all columns; with ``pair``, the evidence on that one.
CREATE MACRO tablelens.main.scan(
    asked_id, outside, its_name, most, way, in_lake, in_tables, of_kind, a_table, least_probable, pair
) AS TABLE
WITH filled AS (
    SELECT tablelens.main.values_in(outside) AS cells WHERE outside IS NOT NULL
), seen AS (
    SELECT len(f.cells) AS filled, list_distinct(f.cells) AS cells FROM filled f
), asked AS (
    SELECT c.table_id, c.words, c.family, c.rows, c.filled, c.distinct_values, c.exact, c.reach,
           CASE WHEN c.excluded = '' THEN r.hashes ELSE [] END AS hashes, v.vector
    FROM tablelens.main.candidates c
    JOIN tablelens.main.column_rows r ON r.id = c.id
    LEFT JOIN tablelens.main.vectors v ON v.column_id = c.id
    WHERE c.id = asked_id AND (c.excluded = '' OR pair IS NOT NULL)
    UNION ALL
    SELECT -1, tablelens.main.parts_of(its_name), tablelens.main.family_of(s.cells), len(outside), s.filled, len(s.cells),
           true, 18446744073709551615::UBIGINT, tablelens.main.hashes_of(s.cells), NULL
    FROM seen s WHERE NOT tablelens.main.says_nothing(s.cells)
), q AS (
    SELECT a.*, m.min_distinct, m.weights,
           greatest(most, CASE WHEN way = 'auto' THEN m.candidates ELSE 0 END,
                    CASE WHEN a_table > 0 THEN 20 * most ELSE 0 END) AS wanted
    FROM tablelens.main.made m, asked a
), held AS (
    SELECT x.id, x.hash
    FROM (SELECT c.id, unnest(c.hashes) AS hash FROM tablelens.main.column_rows c WHERE c.excluded = '') AS x
    JOIN (SELECT unnest(q.hashes) AS hash FROM q) AS y ON x.hash = y.hash
), hub AS (
    SELECT coalesce(median(f.n), 0) / (SELECT count(*) FROM tablelens.main.column_rows) AS hub
    FROM (SELECT count(*) AS n FROM held GROUP BY held.hash) AS f
), pool AS (
    SELECT c.id, c.lake, c."table", c.position, c.distinct_values, c.exact FROM q, tablelens.main.candidates c
    WHERE pair IS NULL AND c.excluded = '' AND c.family = q.family AND c.table_id <> q.table_id
      AND (c.strength >= q.min_distinct OR (way = 'auto' AND c.is_key AND c.distinct_values >= 2))
      AND (in_lake IS NULL OR c.lake = in_lake) AND (in_tables IS NULL OR c."table" GLOB in_tables)
      AND (of_kind IS NULL OR c.kind = of_kind)
), shared AS (
    SELECT s.id FROM q, (
        SELECT h.n, p.*, row_number() OVER (
            ORDER BY h.n DESC, p.distinct_values, p.lake, p."table", p.position, p.id) AS place
        FROM (SELECT held.id, count(*) AS n FROM held GROUP BY held.id) AS h JOIN pool p ON p.id = h.id
    ) AS s
    WHERE way IN ('auto', 'equi') AND (s.place <= q.wanted OR NOT s.exact)
), near AS (
    SELECT p.*, CASE way WHEN 'semantic' THEN list_cosine_similarity(v.vector, q.vector)
                    ELSE list_inner_product(v.vector, q.vector) END AS nearness
    FROM q, tablelens.main.vectors v
    JOIN pool p ON p.id = v.column_id
    WHERE way <> 'equi' AND q.vector IS NOT NULL
), nearest AS (
    SELECT n.id, n.place FROM q, (
        SELECT near.id, row_number() OVER (
            ORDER BY near.nearness DESC, near.lake, near."table", near.position, near.id) AS place
        FROM near
    ) AS n
    WHERE n.place <= CASE WHEN way = 'auto' THEN q.wanted // 2 ELSE q.wanted END
), proposed AS (
    SELECT x.id, coalesce(max(h.n), 0) AS n, max(x.place) AS place
    FROM (
        SELECT shared.id, NULL AS place FROM shared
        UNION ALL SELECT nearest.id, nearest.place FROM nearest
        UNION ALL SELECT pair, 1 WHERE pair IS NOT NULL
    ) AS x
    LEFT JOIN (SELECT held.id, count(*) AS n FROM held GROUP BY held.id) AS h ON h.id = x.id
    GROUP BY x.id
), faced AS (  -- both sets are compared up to the lesser of the greatest hashes that they can tell of
    SELECT p.id, p.n, p.place, c.lake, c."table", c.position, c.table_id, c.distinct_values, c.filled, c.is_key, c.density, c.exact,
           tablelens.main.alike(c.words, q.words) AS alike, least(q.reach, c.reach) AS bound
    FROM q, proposed p JOIN tablelens.main.candidates c ON c.id = p.id
), sketched AS (
    SELECT r.id, tablelens.main.up_to(r.hashes, f.bound, 0) AS size
    FROM tablelens.main.column_rows r
    JOIN faced f ON f.id = r.id AND f.bound < 18446744073709551615::UBIGINT
), counted AS (
    SELECT f.*, least(f.n / f.mine, 1) AS containment, least(f.n / f.theirs, 1) AS reverse_containment,
           CASE WHEN f.estimated THEN 0.5 / sqrt(f.mine) ELSE 0 END AS error, v.vector
    FROM (
        SELECT f.*, NOT (q.exact AND f.exact) AS estimated,
               tablelens.main.up_to(q.hashes, f.bound, len(q.hashes)) AS mine,
               greatest(coalesce(s.size, f.distinct_values), 1) AS theirs
        FROM q, faced f LEFT JOIN sketched s ON s.id = f.id
    ) AS f
    LEFT JOIN tablelens.main.vectors v ON v.column_id = f.id
), weighed AS (
    SELECT c.*, least(c.containment * greatest(q.distinct_values, 1), greatest(c.distinct_values, 1)) AS whole,
           list_cosine_similarity(c.vector, q.vector)::DOUBLE AS cosine,
           tablelens.main.probability(q.weights, c.containment, q.distinct_values,
               list_cosine_similarity(c.vector, q.vector), c.alike, c.is_key, q.family = 'text', c.density,
               q.vector IS NOT NULL) AS probability,
           q.distinct_values AS asked, q.filled AS asked_filled, q.rows AS asked_rows, q.wanted
    FROM q, counted c
), ranked AS (
    SELECT w.*, row_number() OVER (ORDER BY w.merit DESC, w.jaccard DESC, w.lake, w."table", w.position, w.id) AS place_of_all
    FROM (
        SELECT w.*, w.whole / greatest(w.asked + w.distinct_values - w.whole, 1) AS jaccard,
               CASE way WHEN 'equi' THEN w.containment WHEN 'auto' THEN tablelens.main.merit(w.probability, w.containment)
                   ELSE -w.place END AS merit
        FROM weighed w
    ) AS w
), shown AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.table_id ORDER BY r.place_of_all) AS place_in_table
    FROM ranked r WHERE way <> 'auto' OR r.probability >= least_probable
)
SELECT s.rank, s.id, round(s.probability, 4) AS probability,
       round(CASE way WHEN 'equi' THEN s.containment WHEN 'auto' THEN tablelens.main.merit(s.probability, s.containment)
                  ELSE s.cosine END, 6) AS score,
       round(s.containment, 6) AS containment, round(s.reverse_containment, 6) AS reverse_containment,
       round(s.jaccard, 6) AS jaccard, round(s.cosine, 6) AS cosine,
       round_even(s.whole, 0)::BIGINT AS overlap, round(s.error, 6) AS error,
       tablelens.main.cardinality(s.asked = s.asked_filled, s.distinct_values = s.filled) AS cardinality,
       tablelens.main.join_rows(round_even(s.whole, 0), s.asked_filled, s.asked, s.filled, s.distinct_values) AS join_rows,
       round(tablelens.main.join_rows(round_even(s.whole, 0), s.asked_filled, s.asked, s.filled, s.distinct_values)
             / greatest(s.asked_rows, 1), 3) AS explosion,
       round(h.hub, 6) AS hub
FROM hub h, (
    SELECT r.*, row_number() OVER (ORDER BY r.place_of_all)::INTEGER AS rank FROM shown r
    WHERE a_table = 0 OR r.place_in_table <= a_table
) AS s
WHERE s.rank <= most;

-- joins ---------------------------------------------------------------------------------------------------------------

CREATE MACRO tablelens.main.checked(most, way, a_table, least, diverse) AS
    CASE WHEN way NOT IN ('auto', 'equi', 'semantic', 'deepjoin')
         THEN error(format('unknown mode ''{}''. Hint: known modes: auto, equi, semantic, deepjoin', way))
         WHEN most NOT BETWEEN 1 AND 10000 THEN error(format('k is {}. Hint: k lies between 1 and 10000', most))
         WHEN a_table < 0 THEN error(format('per_table is {}. Hint: per_table is 0, for no limit, or more', a_table))
         WHEN least NOT BETWEEN 0 AND 1
         THEN error(format('threshold is {}. Hint: threshold is a probability, between 0 and 1', least))
         WHEN diverse NOT BETWEEN 0 AND 1
         THEN error(format('diversity is {}. Hint: diversity lies between 0, for none, and 1', diverse))
         WHEN diverse > 0
         THEN error(format('diversity is {}, which takes the index. Hint: load the extension, register in Python, or ask with 0', diverse))
         ELSE way END;

-- The hits, or the error that came in their stead. Give it a column: what it is given stands in it three times.
CREATE MACRO tablelens.main.opened(answer) AS
    CASE WHEN answer.error IS NULL THEN answer.hits ELSE error(answer.error) END;

-- An error where a filter can let nothing through.
CREATE MACRO tablelens.main.sound(in_lake, in_tables, of_kind) AS
    CASE WHEN in_lake NOT IN (SELECT l.name FROM tablelens.main.lake_rows l)
         THEN error(format('unknown lake ''{}''. Hint: FROM tablelens.lakes lists them', in_lake))::BOOLEAN
         WHEN of_kind NOT IN ('text', 'integer', 'decimal', 'boolean', 'date', 'identifier', 'categorical', 'empty')
         THEN error(format('unknown kind ''{}''. Hint: known kinds: text, integer, decimal, boolean, date, identifier, categorical, empty', of_kind))::BOOLEAN
         WHEN in_tables IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tablelens.main.table_rows t WHERE t.name GLOB in_tables)
         THEN error(format('no table matches ''{}''. Hint: FROM tablelens.tables lists them', in_tables))::BOOLEAN
         ELSE true END;

-- Hits without an index, with the columns that the index gives.
CREATE MACRO tablelens.main.scanned(reference, outside, its_name, most, way, in_lake, in_tables, of_kind, a_table, least_probable, pair) AS TABLE
SELECT h.rank, h.id, c.lake, c."table", c."column", c.kind, h.* EXCLUDE (rank, id), NULL::VARCHAR AS bridge,
       NULL::VARCHAR AS sql, ''::VARCHAR AS steps
FROM tablelens.main.scan(
    CASE WHEN reference IS NULL AND outside IS NULL
         THEN error('neither a column nor values are given. Hint: NULL is none')::BIGINT
         WHEN tablelens.main.sound(in_lake, in_tables, of_kind) THEN tablelens.main.column_id(reference) END,
    outside, its_name, most, way, in_lake, in_tables, of_kind, a_table,
    coalesce(least_probable, (SELECT m.threshold FROM tablelens.main.made m)), tablelens.main.column_id(pair)) AS h
JOIN tablelens.main.columns c ON c.id = h.id;

-- Columns that join with one of the lake (reference) or with values from outside, and the evidence, best first; with
-- ``pair`` on that one. They are as the index gives them.
CREATE MACRO tablelens.main.hits(
    reference, outside, its_name, its_title, pair, k, mode, lake, tables, kind, per_table, threshold, diversity
) AS TABLE
WITH request AS (
    SELECT reference::VARCHAR AS reference, outside::VARCHAR[] AS outside, its_name::VARCHAR AS name,
           its_title::VARCHAR AS title, pair::VARCHAR AS pair, coalesce(k, 10)::INTEGER AS most, coalesce(mode, 'auto')::VARCHAR AS way,
           lake::VARCHAR AS in_lake, tables::VARCHAR AS in_tables, kind::VARCHAR AS of_kind,
           coalesce(per_table, 0)::INTEGER AS a_table, threshold::DOUBLE AS least, coalesce(diversity, 0)::DOUBLE AS diverse
)
SELECT * FROM query(CASE WHEN tablelens.main.has('tablelens_normalize(NULL)') THEN '
    SELECT unnest(tablelens.main.opened(x.answer), recursive := true) FROM (SELECT tablelens_hits(
        tablelens.main.answering(), request.reference, request.outside, request.name, request.title, request.pair,
        request.most, request.way, request.in_lake, request.in_tables, request.of_kind, request.a_table,
        request.least, request.diverse) AS answer FROM request) AS x'
ELSE '
    SELECT h.* FROM request, LATERAL (FROM tablelens.main.scanned(
        request.reference, request.outside, request.name, request.most,
        tablelens.main.checked(request.most, request.way, request.a_table, request.least, request.diverse), request.in_lake, request.in_tables, request.of_kind,
        request.a_table, request.least, request.pair)) AS h ORDER BY h.rank'
END);

CREATE MACRO tablelens.main.joins(
    reference, k := 10, mode := 'auto', lake := NULL, tables := NULL, kind := NULL, per_table := 0, threshold := NULL,
    diversity := 0
) AS TABLE
SELECT * EXCLUDE (id, sql, steps) FROM tablelens.main.hits(reference, NULL, NULL, NULL, NULL, k, mode, lake, tables, kind, per_table, threshold, diversity);

CREATE MACRO tablelens.main.joins_of(
    outside, k := 10, mode := 'auto', lake := NULL, tables := NULL, kind := NULL, per_table := 0, threshold := NULL,
    diversity := 0, name := 'values', title := ''
) AS TABLE
SELECT * EXCLUDE (id, sql, steps) FROM tablelens.main.hits(NULL, outside, name, title, NULL, k, mode, lake, tables, kind, per_table, threshold, diversity);

CREATE MACRO tablelens.main.joins_with(
    of_table, of_column, k := 10, mode := 'auto', lake := NULL, tables := NULL, kind := NULL, per_table := 0,
    threshold := NULL, diversity := 0
) AS TABLE
SELECT * EXCLUDE (id, sql, steps) FROM tablelens.main.hits(NULL, (
        SELECT list(x.cell::VARCHAR) FROM (SELECT COLUMNS(lambda c: lower(c) = lower(of_column)) AS cell FROM query_table(of_table)) AS x
    ), of_column, of_table, NULL, k, mode, lake, tables, kind, per_table, threshold, diversity);

-- For each column the columns of other tables that hold at least half of its values, counted on whole sets. Ask it for
-- one table or column: then only their values are walked. It counts as ``held`` in ``scan`` does, in words of its own: a
-- macro needs its database to be called tablelens, a view does not.
CREATE VIEW tablelens.main.joins_found AS
SELECT a.lake, a."table", a."column", b.lake AS other_lake, b."table" AS other_table, b."column" AS other_column,
       s.overlap, s.overlap / a.distinct_values AS containment, s.overlap / b.distinct_values AS reverse_containment,
       cardinality(a.distinct_values = a.rows - a.nulls, b.distinct_values = b.rows - b.nulls) AS cardinality
FROM columns a, LATERAL (
    SELECT x.id, count(*) AS overlap
    FROM (
        SELECT c.id, c.table_id, c.family, unnest(c.hashes) AS hash FROM column_rows c
        WHERE c.excluded = '' AND c.exact AND (c.distinct_values >= 5 OR c.is_key)
    ) AS x
    JOIN (SELECT unnest(r.hashes) AS hash FROM column_rows r WHERE r.id = a.id) AS y ON x.hash = y.hash
    WHERE x.family = a.family AND x.table_id <> a.table_id
    GROUP BY x.id
) AS s
JOIN columns b ON b.id = s.id
WHERE a.excluded = '' AND a.exact AND (a.distinct_values >= 5 OR a.is_key) AND s.overlap >= 0.5 * a.distinct_values;
