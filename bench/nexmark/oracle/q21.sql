SELECT auction, bidder, price, channel, coalesce(
    map {'apple': '0', 'google': '1', 'facebook': '2', 'baidu': '3'}[lower(channel)],
    nullif(split_part(split_part(url, '&channel_id=', 2), '&', 1), '')) AS channel_id
FROM bid WHERE channel_id IS NOT NULL
