-- How many bids each bidder made in each of their sessions; ten quiet seconds end one.
SELECT bidder, COUNT(*) AS bids, SESSION_START(`dateTime`, INTERVAL '10' SECOND) AS since,
  SESSION_END(`dateTime`, INTERVAL '10' SECOND) AS till
FROM bid
GROUP BY bidder, SESSION(`dateTime`, INTERVAL '10' SECOND)
