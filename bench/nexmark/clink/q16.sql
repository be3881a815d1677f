-- channel VARCHAR, day VARCHAR, minute VARCHAR, total_bids BIGINT, rank1_bids BIGINT, rank2_bids BIGINT, rank3_bids BIGINT, total_bidders BIGINT, rank1_bidders BIGINT, rank2_bidders BIGINT, rank3_bidders BIGINT, total_auctions BIGINT, rank1_auctions BIGINT, rank2_auctions BIGINT, rank3_auctions BIGINT
SELECT channel, day, MAX(at_minute) AS minute, COUNT(*) AS total_bids,
  SUM(rank1) AS rank1_bids,
  SUM(rank2) AS rank2_bids,
  SUM(rank3) AS rank3_bids,
  COUNT(DISTINCT bidder) AS total_bidders,
  COUNT(DISTINCT rank1_bidder) AS rank1_bidders,
  COUNT(DISTINCT rank2_bidder) AS rank2_bidders,
  COUNT(DISTINCT rank3_bidder) AS rank3_bidders,
  COUNT(DISTINCT auction) AS total_auctions,
  COUNT(DISTINCT rank1_auction) AS rank1_auctions,
  COUNT(DISTINCT rank2_auction) AS rank2_auctions,
  COUNT(DISTINCT rank3_auction) AS rank3_auctions
FROM (
  SELECT channel,
    DATE_FORMAT(date_time, 'yyyy-MM-dd') AS day,
    DATE_FORMAT(date_time, 'HH:mm') AS at_minute,
    CASE WHEN price < 10000 THEN 1 ELSE 0 END AS rank1,
    CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END AS rank2,
    CASE WHEN price >= 1000000 THEN 1 ELSE 0 END AS rank3,
    bidder,
    CASE WHEN price < 10000 THEN bidder END AS rank1_bidder,
    CASE WHEN price >= 10000 AND price < 1000000 THEN bidder END AS rank2_bidder,
    CASE WHEN price >= 1000000 THEN bidder END AS rank3_bidder,
    auction,
    CASE WHEN price < 10000 THEN auction END AS rank1_auction,
    CASE WHEN price >= 10000 AND price < 1000000 THEN auction END AS rank2_auction,
    CASE WHEN price >= 1000000 THEN auction END AS rank3_auction
  FROM bid
) AS ranked
GROUP BY channel, day
