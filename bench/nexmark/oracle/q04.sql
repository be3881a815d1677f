WITH sold AS (
  SELECT auction.id, any_value(category) AS category, max(price) AS final
  FROM bid JOIN auction ON bid.auction = auction.id
  WHERE bid.dateTime >= auction.dateTime AND bid.dateTime <= expires
  GROUP BY auction.id
)
SELECT category, (sum(final) // count(*))::BIGINT AS final FROM sold GROUP BY category
