-- append
SELECT b.auction, b.price, b.bidder, b.dateTime, b.extra
FROM bid AS b
JOIN (SELECT max(price) AS most, window.end AS till FROM bid GROUP BY window(dateTime, '10 seconds')) AS top
ON b.price = top.most AND b.dateTime BETWEEN top.till - INTERVAL 10 SECONDS AND top.till
