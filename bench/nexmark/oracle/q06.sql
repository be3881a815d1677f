-- Sales of one seller in the same millisecond have no order: `moves` are the values that the average can have.
WITH sold AS (
  SELECT id, seller, price, bid.dateTime
  FROM auction JOIN bid ON bid.auction = id AND bid.dateTime >= auction.dateTime AND bid.dateTime <= expires
  QUALIFY bid.event = first(bid.event) OVER (PARTITION BY id ORDER BY price DESC, bid.event)
)
SELECT seller, (avg(price) OVER (PARTITION BY seller ORDER BY dateTime ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)) AS price
FROM sold
