-- seller BIGINT, price BIGINT
SELECT seller, AVG(price) OVER (PARTITION BY seller ORDER BY date_time ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS price
FROM (
  SELECT * FROM (
    SELECT a.id AS id, a.seller AS seller, b.price AS price, b.date_time AS date_time,
      ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) AS place
    FROM auction AS a JOIN bid AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  ) AS ranked
  WHERE place <= 1
) AS sold
