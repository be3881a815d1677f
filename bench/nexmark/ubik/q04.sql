SELECT category, avg(final) AS final
FROM (
  SELECT max(b.price) AS final, a.category
  FROM events AS a JOIN events AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  WHERE a.event_type = 1 AND b.event_type = 2
  GROUP BY a.id, a.category
)
GROUP BY category
