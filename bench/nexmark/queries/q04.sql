-- For each category the average of its auctions' highest bids: an aggregate over an aggregate that changes.
SELECT category, AVG(final) AS final
FROM (
  SELECT MAX(b.price) AS final, a.category
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
)
GROUP BY category
