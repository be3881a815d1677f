SELECT auction, bidder, price, channel, nullif(split_part(url, '/', 4), '') AS dir1,
  nullif(split_part(url, '/', 5), '') AS dir2, nullif(split_part(url, '/', 6), '') AS dir3
FROM events WHERE event_type = 2
