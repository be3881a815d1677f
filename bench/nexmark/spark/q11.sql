-- append
SELECT bidder, count(*) AS bids, session_window.start AS since, session_window.end AS till
FROM bid GROUP BY bidder, session_window(dateTime, '10 seconds')
