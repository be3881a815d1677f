SELECT p.id, p.name, p.w
FROM (SELECT id, name, TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND) AS w FROM events WHERE event_type = 0 GROUP BY id, name, TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND)) AS p
JOIN (SELECT seller, TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND) AS w FROM events WHERE event_type = 1 GROUP BY seller, TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND)) AS a
ON p.id = a.seller AND p.w = a.w
