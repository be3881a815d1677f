-- How many bids each bidder made in ten seconds of the clock on the wall.
SELECT bidder, COUNT(*) AS bids, window_start, window_end
FROM TABLE(TUMBLE(TABLE timed_bid, DESCRIPTOR(seen_at), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end
