-- Tables by words, rows that are alike, and paths between tables.

-- tables by words -----------------------------------------------------------------------------------------------------

-- Words of a text, folded, plural endings off: tablelens/index/words.py.
CREATE MACRO tablelens.main.words_of(words) AS
    list_transform(list_filter(regexp_extract_all(lower(nfc_normalize(regexp_replace(regexp_replace(
            words, '(\p{Ll})(\p{Lu})', '\1 \2', 'g'), '(\p{Lu})(\p{Lu}\p{Ll})', '\1 \2', 'g'))),
            '[\p{L}\p{M}]+|\p{N}+'),
        lambda w: w NOT IN ('a', 'an', 'and', 'as', 'at', 'be', 'by', 'for', 'from', 'in', 'is', 'it', 'of', 'on', 'or',
                            'that', 'the', 'this', 'to', 'was', 'with')),
        lambda w: CASE WHEN length(w) > 4 AND ends_with(w, 'ies') THEN w[:-4] || 'y'
                       WHEN length(w) > 3 AND ends_with(w, 's') AND NOT ends_with(w, 'ss') THEN w[:-2] ELSE w END);

CREATE MACRO tablelens.main.by_words(words, most) AS TABLE
SELECT r.rank, r.id, round(1 / (59 + r.rank), 6) AS score FROM (
    SELECT x.id, row_number() OVER (ORDER BY x.score DESC, x.id)::INTEGER AS rank FROM (
        SELECT s.id, sum(s.score) AS score FROM (
            SELECT unnest(s.tables) AS id, unnest(s.scores) AS score
            FROM (SELECT unnest(tablelens.main.words_of(words)) AS word) AS w
            JOIN tablelens.main.word_scores s ON s.word = w.word
        ) AS s GROUP BY s.id
    ) AS x WHERE x.score > 0
) AS r WHERE r.rank <= least(most, 100);

-- Tables by words, the best by BM25 first. Where Python is registered, by what the words mean too.
CREATE MACRO tablelens.main.search(words, k := 10) AS TABLE
SELECT h.rank, t.lake, t."table", t.title, t.rows, h.score
FROM (SELECT words::VARCHAR AS text, k::INTEGER AS most) AS request, LATERAL (
    SELECT * FROM query(CASE WHEN tablelens.main.has('tablelens_found(NULL, 1)') THEN '
        SELECT unnest(tablelens.main.opened(x.answer), recursive := true)
        FROM (SELECT tablelens_found(request.text, request.most) AS answer) AS x'
    ELSE 'FROM tablelens.main.by_words(request.text, request.most)' END)
) AS h
JOIN tablelens.main.tables t ON t.id = h.id
ORDER BY h.rank;

-- rows that are alike -------------------------------------------------------------------------------------------------

-- Rows that are like row `number` (from 0) of a table, the likest first; with others, of other tables alone.
CREATE MACRO tablelens.main.similar_rows(table_reference, number, k := 10, others := false) AS TABLE
SELECT h.rank, t.lake, t."table", h."row", h.similarity
FROM (SELECT table_reference::VARCHAR AS name, number::BIGINT AS place, k::INTEGER AS most, others::BOOLEAN AS far) AS request,
LATERAL (
    SELECT * FROM query(CASE WHEN tablelens.main.has('tablelens_similar(NULL, 0, 1, false)') THEN '
        SELECT unnest(tablelens.main.opened(x.answer), recursive := true)
        FROM (SELECT tablelens_similar(request.name, request.place, request.most, request.far) AS answer) AS x'
    ELSE 'SELECT 1::INTEGER AS rank, 0::BIGINT AS "row", 0::DOUBLE AS similarity,
            error(''similar_rows is answered by Python alone. Hint: tablelens.sql.register, or `tablelens sql`'')::BIGINT AS id' END)
) AS h
JOIN tablelens.main.tables t ON t.id = h.id
ORDER BY h.rank;

-- paths ---------------------------------------------------------------------------------------------------------------

-- The surest join of a table to each other table; columns of numbers only where it is very sure.
CREATE MACRO tablelens.main.edges(of_table) AS TABLE
SELECT e.other_id, unnest(arg_max(e, (e.probability, -e.position, -e.rank))) FROM (
    SELECT o.table_id AS other_id, c.id AS left_id, o.id AS right_id, c.position, h.rank, h.probability, h.containment,
           h.reverse_containment, h.cardinality
    FROM tablelens.main.columns c,
         LATERAL (FROM tablelens.main.hits(c.lake || ':' || c."table" || '.' || c."column", NULL, NULL, NULL, NULL,
                                           100, 'auto', NULL, NULL, NULL, 0, 0.5, 0)) AS h
    JOIN tablelens.main.columns o ON o.id = h.id
    WHERE c.table_id = of_table AND c.excluded = '' AND (c.family <> 'number' OR h.probability >= 0.9)
) AS e GROUP BY e.other_id;

-- Chains of one or two joins; longer ones only where Python is registered.
CREATE MACRO tablelens.main.short_paths(left_table, right_table, hops, k) AS TABLE
WITH ahead AS MATERIALIZED (FROM tablelens.main.edges(tablelens.main.table_id(left_table))
), back AS MATERIALIZED (
    SELECT b.other_id, b.right_id AS left_id, b.left_id AS right_id, b.probability, b.reverse_containment AS containment,
           b.containment AS reverse_containment,
           CASE b.cardinality WHEN '1:n' THEN 'n:1' WHEN 'n:1' THEN '1:n' ELSE b.cardinality END AS cardinality
    FROM tablelens.main.edges(tablelens.main.table_id(right_table)) AS b
), routes AS (
    SELECT [arg_max(d, d.probability)] AS steps FROM (
        SELECT left_id, right_id, probability, containment, reverse_containment, cardinality FROM ahead
        WHERE other_id = tablelens.main.table_id(right_table)
        UNION ALL
        SELECT left_id, right_id, probability, containment, reverse_containment, cardinality FROM back
        WHERE other_id = tablelens.main.table_id(left_table)
    ) AS d HAVING count(*) > 0
    UNION ALL
    SELECT [{'left_id': a.left_id, 'right_id': a.right_id, 'probability': a.probability, 'containment': a.containment,
             'reverse_containment': a.reverse_containment, 'cardinality': a.cardinality},
            {'left_id': b.left_id, 'right_id': b.right_id, 'probability': b.probability, 'containment': b.containment,
             'reverse_containment': b.reverse_containment, 'cardinality': b.cardinality}]
    FROM ahead a JOIN back b ON a.other_id = b.other_id
    WHERE hops >= 2 AND a.other_id NOT IN (tablelens.main.table_id(left_table), tablelens.main.table_id(right_table))
), best AS (
    SELECT r.*, row_number() OVER (ORDER BY r.likely DESC, len(r.steps), r.steps)::INTEGER AS path
    FROM (SELECT routes.steps, list_product(list_transform(routes.steps, lambda s: s.probability)) AS likely FROM routes) AS r
)
SELECT b.path, s.step::INTEGER AS step, s.at.left_id AS left_id, s.at.right_id AS right_id, s.at.probability AS probability,
       round(b.likely, 4) AS path_probability, s.at.containment AS containment,
       s.at.reverse_containment AS reverse_containment, s.at.cardinality AS cardinality
FROM best b, LATERAL (SELECT unnest(b.steps) AS at, unnest(range(1, len(b.steps) + 1)) AS step) AS s
WHERE b.path <= k;

-- Chains of joins from one table to another, the surest first, a row a join.
CREATE MACRO tablelens.main.path(left_table, right_table, hops := 3, k := 5) AS TABLE
SELECT s.path, s.step, l.lake, l."table", l."column", r.lake AS other_lake, r."table" AS other_table,
       r."column" AS other_column, s.probability, s.path_probability, s.containment, s.reverse_containment, s.cardinality
FROM (SELECT left_table AS a, right_table AS b, hops::INTEGER AS hops, k::INTEGER AS most) AS request, LATERAL (
    SELECT * FROM query(CASE WHEN tablelens.main.has('tablelens_steps(NULL, NULL, 1, 1)') THEN '
        SELECT unnest(tablelens.main.opened(x.answer), recursive := true)
        FROM (SELECT tablelens_steps(request.a, request.b, request.hops, request.most) AS answer) AS x'
    ELSE 'FROM tablelens.main.short_paths(request.a, request.b, request.hops, request.most)' END)
) AS s
JOIN tablelens.main.columns l ON l.id = s.left_id
JOIN tablelens.main.columns r ON r.id = s.right_id
ORDER BY s.path, s.step;
