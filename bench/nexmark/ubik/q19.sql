SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM events WHERE event_type = 2)
WHERE place <= 10
