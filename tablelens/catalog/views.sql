-- Views of a catalogue snapshot: a documented, stable schema (docs/reference/sql.md) over the tables of the crawl.
-- Their own names are qualified, those in them are not: a view looks in its own database first, whatever that is called.

CREATE VIEW tablelens.main.lakes AS
SELECT l.id, l.name AS lake, l.root,
       (SELECT count(*) FROM table_rows t WHERE t.lake_id = l.id) AS tables,
       (SELECT count(*) FROM column_rows c WHERE c.lake_id = l.id) AS columns,
       (SELECT count(*) FROM files f WHERE f.lake_id = l.id AND f.reason <> '') AS failed,
       (SELECT max(coalesce(r.finished_at, r.started_at)) FROM crawls r WHERE r.lake_id = l.id) AS crawled
FROM lake_rows l;

CREATE VIEW tablelens.main.tables AS
SELECT t.id, l.name AS lake, t.name AS "table", t.title, t.format, t.rows,
       (SELECT count(*) FROM column_rows c WHERE c.table_id = t.id) AS columns,
       f.path, t.part, f.size AS bytes, t.warnings, t.truncated
FROM table_rows t
JOIN lake_rows l ON l.id = t.lake_id
JOIN files f ON f.id = t.file_id;

CREATE VIEW tablelens.main.columns AS
SELECT c.id, c.table_id, l.name AS lake, t.name AS "table", c.name AS "column", c.position, c.type, c.kind, c.family,
       c.rows, c.nulls, c.distinct_values, c.is_key, c.exact, c.excluded
FROM column_rows c
JOIN table_rows t ON t.id = c.table_id
JOIN lake_rows l ON l.id = c.lake_id;

CREATE VIEW tablelens.main.profiles AS
SELECT c.id, l.name AS lake, t.name AS "table", c.name AS "column", c.original_name, c.rows, c.nulls, c.distinct_values,
       c.minimum, c.maximum,
       c.lengths[2]::INTEGER AS min_length, c.lengths[1]::INTEGER AS max_length, c.lengths[3] AS mean_length,
       c.lengths[5]::INTEGER AS min_words, c.lengths[4]::INTEGER AS max_words, c.lengths[6] AS mean_words,
       c.texts, c.density, c.top_values, c.top_counts, c.histogram_edges, c.histogram_counts, c.cells
FROM column_rows c
JOIN table_rows t ON t.id = c.table_id
JOIN lake_rows l ON l.id = c.lake_id;
