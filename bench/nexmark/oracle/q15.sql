WITH ranked AS (SELECT *, CASE WHEN price < 10000 THEN 1 WHEN price < 1000000 THEN 2 ELSE 3 END AS rank FROM bid)
SELECT strftime(dateTime, '%Y-%m-%d') AS day,
  count(*) AS total_bids, sum((rank = 1)::INT)::BIGINT AS rank1_bids, sum((rank = 2)::INT)::BIGINT AS rank2_bids,
  sum((rank = 3)::INT)::BIGINT AS rank3_bids,
  count(DISTINCT bidder) AS total_bidders, count(DISTINCT if(rank = 1, bidder, NULL)) AS rank1_bidders,
  count(DISTINCT if(rank = 2, bidder, NULL)) AS rank2_bidders, count(DISTINCT if(rank = 3, bidder, NULL)) AS rank3_bidders,
  count(DISTINCT auction) AS total_auctions, count(DISTINCT if(rank = 1, auction, NULL)) AS rank1_auctions,
  count(DISTINCT if(rank = 2, auction, NULL)) AS rank2_auctions,
  count(DISTINCT if(rank = 3, auction, NULL)) AS rank3_auctions
FROM ranked GROUP BY day
