-- Windows of the clock on the wall are another's at each run: what has to be right is each bidder's total.
SELECT bidder, count(*) AS bids FROM bid GROUP BY bidder
