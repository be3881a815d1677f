WITH gaps AS (
  SELECT bidder, dateTime::TIMESTAMP AS seen, event,
    seen - lag(seen) OVER (PARTITION BY bidder ORDER BY seen, event) > INTERVAL 10 SECOND AS is_new
  FROM bid
), numbered AS (
  SELECT bidder, seen, count(*) FILTER (WHERE is_new) OVER (PARTITION BY bidder ORDER BY seen, event) AS session FROM gaps
)
SELECT bidder, count(*) AS bids, min(seen) AS since, max(seen) + INTERVAL 10 SECOND AS till
FROM numbered GROUP BY bidder, session
