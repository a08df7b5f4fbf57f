-- SPDX-License-Identifier: MIT
-- sums.sql: for psql, after pgbench. Each of its transactions adds one amount to an account, a teller, a branch and the
-- history, so the four sums are one; and the accounts do not depend on the order in which the clients came.
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history);
SELECT (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history);
SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history);
SELECT count(*), sum(delta), md5(string_agg(concat_ws(',', tid, bid, aid, delta), ';' ORDER BY tid, bid, aid, delta))
FROM pgbench_history;
SELECT count(*), md5(string_agg(concat_ws(',', aid, bid, abalance), ';' ORDER BY aid)) FROM pgbench_accounts;
SELECT md5(string_agg(concat_ws(',', tid, bid, tbalance), ';' ORDER BY tid)) FROM pgbench_tellers;
