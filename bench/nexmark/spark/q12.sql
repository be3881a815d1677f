-- update
SELECT bidder, count(*) AS bids, window.start AS window_start, window.end AS window_end
FROM (SELECT *, current_timestamp() AS seen_at FROM bid)
GROUP BY bidder, window(seen_at, '10 seconds')
