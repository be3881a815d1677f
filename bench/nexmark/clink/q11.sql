-- bidder BIGINT, bids BIGINT, since BIGINT, till BIGINT
SELECT bidder, COUNT(*) AS bids, window_start AS since, window_end AS till
FROM bid GROUP BY bidder, SESSION(date_time, INTERVAL '10' SECOND)
