-- auction BIGINT, price BIGINT, bidder BIGINT, date_time BIGINT, extra VARCHAR
SELECT b.auction AS auction, b.price AS price, b.bidder AS bidder, b.date_time AS date_time, b.extra AS extra
FROM bid AS b
JOIN (SELECT MAX(price) AS most, window_end AS till FROM bid GROUP BY TUMBLE(date_time, INTERVAL '10' SECOND)) AS top
ON b.price = top.most
WHERE b.date_time BETWEEN top.till - 10000 AND top.till
