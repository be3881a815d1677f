-- Sales of one seller in the same millisecond have no order: at 500 events a second there are none.
WITH sold AS (
  SELECT id, seller, price, bid.dateTime
  FROM auction JOIN bid ON bid.auction = id AND bid.dateTime >= auction.dateTime AND bid.dateTime <= expires
  QUALIFY bid.event = first(bid.event) OVER (PARTITION BY id ORDER BY price DESC, bid.event)
)
SELECT seller, (sum(price) OVER last_eleven // count(*) OVER last_eleven)::BIGINT AS price
FROM sold
WINDOW last_eleven AS (PARTITION BY seller ORDER BY dateTime ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)
