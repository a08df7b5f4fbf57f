-- SPDX-License-Identifier: MIT
-- workload.sql: for the sqlite3 shell. A shop with 120,000 orders, then everything a database does to them: indexes,
-- joins, windows, common table expressions, triggers, JSON, full-text search, savepoints, deletes, VACUUM. No times, no
-- random numbers: a linear congruence makes the data.
PRAGMA journal_mode = WAL;
PRAGMA cache_size = -2000;
PRAGMA temp_store = MEMORY;
PRAGMA foreign_keys = ON;

CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL, notes BLOB);
CREATE TABLE "order"(
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer(id) ON DELETE CASCADE,
    day INTEGER NOT NULL, amount INTEGER NOT NULL, details TEXT CHECK (json_valid(details)));
CREATE TABLE ledger(day INTEGER PRIMARY KEY, total INTEGER NOT NULL) WITHOUT ROWID;

CREATE TRIGGER book AFTER INSERT ON "order" BEGIN
    INSERT INTO ledger VALUES (new.day, new.amount) ON CONFLICT(day) DO UPDATE SET total = total + excluded.total;
END;

BEGIN;
WITH RECURSIVE numbers(n, x) AS (
    SELECT 1, 12345 UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM numbers WHERE n < 2000)
INSERT INTO customer
SELECT n, printf('customer %05d %s', n, hex(x)), printf('city %d', (x >> 8) % 90),
       zeroblob((x >> 4) % (CASE WHEN n % 50 THEN 300 ELSE 90000 END))
FROM numbers;

WITH RECURSIVE numbers(n, x) AS (
    SELECT 1, 54321 UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM numbers WHERE n < 120000)
INSERT INTO "order"
SELECT n, 1 + (x >> 7) % 2000, (x >> 5) % 365, (x >> 3) % 100000,
       json_object('items', json_array(x % 7, x % 11, x % 13),
                   'comment', substr(hex(x) || hex(n * x), 1, (x >> 9) % 30))
FROM numbers;
COMMIT;

CREATE INDEX order_by_customer ON "order"(customer_id, day);
CREATE INDEX order_by_item ON "order"(json_extract(details, '$.items[1]'), amount DESC);
CREATE INDEX customer_by_city ON customer(city) WHERE length(notes) > 100;
ANALYZE;

.print the ten best cities
SELECT city, count(*), sum(amount) FROM customer JOIN "order" ON customer_id = customer.id
GROUP BY city ORDER BY sum(amount) DESC, city LIMIT 10;

.print running totals, by window
SELECT day, total, sum(total) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW),
       rank() OVER (ORDER BY total DESC), ntile(4) OVER (ORDER BY total)
FROM ledger WHERE day < 40;

.print each customer's largest order, aggregated
WITH best AS (
    SELECT customer_id, amount, details, row_number() OVER (PARTITION BY customer_id ORDER BY amount DESC, id) AS place
    FROM "order")
SELECT count(*), sum(amount), max(length(details)), length(group_concat(details, ';')) FROM best WHERE place <= 3;

.print json, unfolded and folded again
SELECT item.value, count(*), json_group_array(DISTINCT "order".id % 5)
FROM "order", json_each(details, '$.items') AS item GROUP BY item.value ORDER BY item.value;

.print a sort and a set operation too large for the cache
SELECT count(*), sum(length(t)) FROM (
    SELECT details || name AS t FROM "order" JOIN customer ON customer_id = customer.id
    EXCEPT SELECT name FROM customer ORDER BY t DESC);

.print full-text search
CREATE VIRTUAL TABLE text USING fts5(name, city, details, tokenize = 'porter unicode61');
INSERT INTO text
SELECT name, city, details FROM customer JOIN "order" ON customer_id = customer.id WHERE "order".id <= 8000;
SELECT rowid, snippet(text, 2, '[', ']', '...', 6) FROM text WHERE text MATCH 'custom* AND 00042 NOT zzz*' LIMIT 5;
SELECT count(*) FROM text WHERE text MATCH 'NEAR(items comment, 5)';
INSERT INTO text(text) VALUES ('optimize');
INSERT INTO text(text) VALUES ('integrity-check');

.print changes, some of them taken back
SAVEPOINT before;
UPDATE "order" SET details = json_set(details, '$.comment', printf('%.*c', id % 900, 'x')) WHERE id % 4 = 0;
DELETE FROM customer WHERE id % 7 = 0;
SELECT count(*), sum(length(details)) FROM "order";
ROLLBACK TO before;
RELEASE before;
DELETE FROM customer WHERE id % 9 = 0;
UPDATE customer SET notes = zeroblob(0) WHERE length(notes) > 50000;
SELECT count(*), sum(length(details)) FROM "order";

CREATE TABLE copy AS SELECT * FROM "order" ORDER BY amount, id;
DROP TABLE copy;
VACUUM;
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA integrity_check;
PRAGMA foreign_key_check;
.sha3sum
