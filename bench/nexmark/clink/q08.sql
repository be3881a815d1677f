-- id BIGINT, name VARCHAR, since BIGINT
SELECT p.id AS id, p.name AS name, p.since AS since
FROM (
  SELECT id, name, window_start AS since, COUNT(*) AS times
  FROM person GROUP BY id, name, TUMBLE(date_time, INTERVAL '10' SECOND)
) AS p
JOIN (
  SELECT seller, window_start AS since, COUNT(*) AS times
  FROM auction GROUP BY seller, TUMBLE(date_time, INTERVAL '10' SECOND)
) AS a
ON p.id = a.seller AND p.since = a.since
