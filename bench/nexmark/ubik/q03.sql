SELECT p.name, p.city, p.state, a.id
FROM events AS a JOIN events AS p ON a.seller = p.id
WHERE a.event_type = 1 AND p.event_type = 0 AND a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
