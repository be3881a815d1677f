-- append: a join of two aggregates of aggregates gives no row, so a window's counts are gathered and the most picked
SELECT inline(filter(counts, one -> one.num = most))
FROM (
  SELECT max(num) AS most, collect_list(struct(auction, num)) AS counts
  FROM (
    SELECT auction, num, window_time(window) AS closed
    FROM (
      SELECT auction, count(*) AS num, window FROM bid GROUP BY auction, window(dateTime, '10 seconds', '2 seconds')
    )
  )
  GROUP BY window(closed, '2 seconds')
)
