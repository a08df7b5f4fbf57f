-- SPDX-License-Identifier: MIT
-- queries.sql: for psql, after pgbench. Tables made by generate_series, and queries over them that need a lot of memory
-- for a short time: sorts, hashes, aggregates, in parallel workers, compiled, in small and in large work_mem. No times.
SET work_mem = '8MB';
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;

CREATE TABLE item AS
SELECT n AS id, n * 7919 % 1009 AS shelf, md5(n::text) AS name, (n * 104729::bigint % 100003)::numeric / 7 AS price,
       jsonb_build_object('tags', jsonb_build_array(n % 5, n % 7, 'tag' || n % 11), 'size', n % 97) AS data
FROM generate_series(1, 60000) AS n;
ALTER TABLE item ADD PRIMARY KEY (id);
CREATE INDEX ON item (shelf, price DESC);
CREATE INDEX ON item USING gin (data jsonb_path_ops);
CREATE TABLE sale AS
SELECT n AS id, 1 + n * 48271::bigint % 60000 AS item, n % 365 AS day, n * 31 % 13 AS amount
FROM generate_series(1, 150000) AS n;
ANALYZE;

\echo join, group, sort
SELECT shelf, count(*), sum(amount * price)::numeric(20, 4), max(name) FROM sale JOIN item ON sale.item = item.id
GROUP BY shelf ORDER BY 3 DESC, shelf LIMIT 10;

\echo the same compiled, just in time
SELECT pg_jit_available();
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT day % 7, count(*), sum(amount * 3 + day), avg(price * amount)::numeric(20, 6), bool_and(amount < 13)
FROM sale JOIN item ON sale.item = item.id WHERE amount * day % 11 <> 5 AND name > '1' GROUP BY 1 ORDER BY 1;
SELECT sum(CASE WHEN amount > 6 THEN price ELSE -price END)::numeric(20, 4) FROM sale JOIN item ON sale.item = item.id;
SET jit = off;

\echo sorts that spill, and sorts that do not
SET work_mem = '64kB';
SELECT md5(string_agg(name, '' ORDER BY name COLLATE "C", id)) FROM item;
SELECT count(*) FROM (SELECT DISTINCT name, day FROM sale JOIN item ON sale.item = item.id) AS pairs;
SET work_mem = '64MB';
SELECT md5(string_agg(name, '' ORDER BY name COLLATE "C", id)) FROM item;
SELECT count(*) FROM (SELECT DISTINCT name, day FROM sale JOIN item ON sale.item = item.id) AS pairs;

\echo windows, arrays, json, text
SELECT day, sum(total) OVER (ORDER BY day ROWS 6 PRECEDING), rank() OVER (ORDER BY total DESC)
FROM (SELECT day, sum(amount) AS total FROM sale GROUP BY day) AS days ORDER BY day LIMIT 12;
SELECT md5(array_to_string(array_agg(id ORDER BY price, id), ',')) FROM item;
SELECT count(*), sum((data ->> 'size')::int) FROM item WHERE data @> '{"tags": [3]}';
SELECT md5(jsonb_agg(data ORDER BY id)::text), length(jsonb_agg(data)::text) FROM item;
SELECT count(*), sum(length(regexp_replace(name, '([a-f]+)(\d+)', '<\2\1>', 'g'))) FROM item
WHERE name ~ '^[a-f]{2,}\d';
SELECT length(string_agg(repeat(name, id % 50), '')) FROM item WHERE id <= 20000;

\echo a function that builds strings, catches errors and calls itself
CREATE FUNCTION collect(depth int, seed text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text := '';
    part record;
BEGIN
    FOR part IN SELECT id, name FROM item WHERE shelf = depth * 37 % 1009 ORDER BY id LIMIT 20 LOOP
        BEGIN
            answer := answer || substr(part.name, 1, depth) || (1 / (part.id % 3))::text;
        EXCEPTION WHEN division_by_zero THEN
            answer := answer || '!';
        END;
    END LOOP;
    IF depth = 0 THEN
        RETURN seed || answer;
    END IF;
    RETURN md5(collect(depth - 1, answer)) || left(answer, 100);
END $$;
SELECT md5(string_agg(collect(depth, 'x'), ';')) FROM generate_series(1, 25) AS depth;

\echo recursion, changes, and what is left
WITH RECURSIVE walk(id, step) AS (
    SELECT 1::bigint, 0 UNION ALL SELECT 1 + id * 7919 % 60000, step + 1 FROM walk WHERE step < 20000)
SELECT count(DISTINCT id), sum(id) FROM walk;
UPDATE item SET data = data || jsonb_build_object('note', repeat('n', id % 3000)) WHERE id % 10 = 0;
DELETE FROM sale WHERE item % 4 = 0;
VACUUM FULL item;
REINDEX TABLE item;
SELECT count(*), sum(length(data::text)) FROM item;
SELECT count(*), sum(amount) FROM sale;
