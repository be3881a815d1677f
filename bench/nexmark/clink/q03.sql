-- name VARCHAR, city VARCHAR, state VARCHAR, id BIGINT
SELECT p.name AS name, p.city AS city, p.state AS state, a.id AS id
FROM auction AS a JOIN person AS p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
