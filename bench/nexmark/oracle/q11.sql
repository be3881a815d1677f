WITH gaps AS (
  SELECT bidder, dateTime::TIMESTAMP AS at, event,
    at - lag(at) OVER (PARTITION BY bidder ORDER BY at, event) > INTERVAL 10 SECOND AS is_new
  FROM bid
), numbered AS (
  SELECT bidder, at, count(*) FILTER (WHERE is_new) OVER (PARTITION BY bidder ORDER BY at, event) AS session FROM gaps
)
SELECT bidder, count(*) AS bids, min(at) AS since, max(at) + INTERVAL 10 SECOND AS till
FROM numbered GROUP BY bidder, session
