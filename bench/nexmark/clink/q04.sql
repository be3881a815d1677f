-- category BIGINT, final BIGINT
SELECT category, AVG(final) AS final
FROM (
  SELECT MAX(b.price) AS final, a.category AS category
  FROM auction AS a JOIN bid AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY a.id, a.category
) AS sold
GROUP BY category
